"""What people see of a mark, by name: measures that need a network, or a package (``watermark.metrics.seen``).

LPIPS and DISTS are for whoever has the backbones: torchmetrics brings the heads, torchvision's weights are not ours.
Nothing is downloaded. The backbone files are looked for where torch keeps them, ``$TORCH_HOME/hub/checkpoints`` (by
default ``~/.cache/torch/hub/checkpoints``); a machine without network gets a copy of that folder.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from watermark.errors import UserError
from watermark.metrics import seen

BACKBONES = {"lpips": "AlexNet_Weights", "dists": "VGG16_Weights"}
"""Measure to the torchvision weights that it looks through."""
MEASURES = (*BACKBONES, *seen.PACKAGES)
"""What ``perceptual=[...]`` of an evaluation may name."""
Measure = Callable[[Tensor, Tensor], Tensor]


def backbone(name: str) -> Path:
    """The file with the weights of a measure's network.

    Raises:
        UserError: without the extra ``perceptual``, or where the file is missing (named).
    """
    for package in ("torchmetrics", "torchvision"):
        if find_spec(package) is None:
            raise UserError(f"perceptual: {name} needs {package}: pip install 'robust-watermark[perceptual]'")
    from torchvision import models

    url = getattr(models, BACKBONES[name]).DEFAULT.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    if not path.is_file():
        raise UserError(
            f"perceptual: {name} needs torchvision's {path.name} in {path.parent} (TORCH_HOME moves it); "
            "nothing is downloaded"
        )
    return path


def fingerprints(names: Sequence[str]) -> dict[str, dict[str, str]]:
    """What each measure rests on, for the manifest: a backbone's file name and sha256, or a package and its version.

    Raises:
        UserError: for an unknown measure, or one that does not run here.
    """
    return {name: _fingerprint(name) for name in names}


def _fingerprint(name: str) -> dict[str, str]:
    if name in seen.PACKAGES:
        return seen.package(name)
    if name not in BACKBONES:
        raise UserError(f"perceptual: expected some of {', '.join(MEASURES)}, got {name!r}")
    path = backbone(name)
    with path.open("rb") as file:
        return {"backbone": path.name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def perceptual(name: str, device: torch.device) -> Measure:
    """A measure ready to use: ``(N, 3, H, W)`` twice in ``[0, 1]``, the picture and the original, to ``(N,)`` float64.

    ``lpips`` is version 0.1 with AlexNet (Zhang et al., CVPR 2018), ``dists`` with VGG-16 (Ding et al., IEEE TPAMI 44,
    2022), both as torchmetrics computes them, at the size that the pictures have; 0 for equal pictures. ``flip``,
    ``ssimulacra2`` and ``cvvdp``: see ``watermark.metrics.seen``.

    Raises:
        UserError: as ``fingerprints``.
    """
    _fingerprint(name)
    if name in seen.PACKAGES:
        measure: Measure = getattr(seen, name)
        return measure
    from torchmetrics.functional.image.dists import DISTSNetwork
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    network: torch.nn.Module
    if name == "dists":
        network = DISTSNetwork().to(device).eval()
    else:
        network = LearnedPerceptualImagePatchSimilarity("alex", reduction="none", normalize=True).to(device).eval()
    return partial(_apply, network)


@torch.no_grad()
def _apply(network: torch.nn.Module, images: Tensor, reference: Tensor) -> Tensor:
    values = [network(x[None].float(), y[None].float()).reshape(()) for x, y in zip(images, reference, strict=True)]
    return torch.stack(values).double()
