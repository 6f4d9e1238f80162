"""FLIP, SSIMULACRA2 and ColorVideoVDP: models of what an eye sees, each as its authors or a port of theirs compute it.

All three ship their constants, and nothing is downloaded. Each costs about .6 processor seconds at 768x512.
"""

import io
import logging
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from watermark.errors import UserError
from watermark.images import to_8bit

PACKAGES = {"flip": "flip-evaluator", "ssimulacra2": "ssimulacra2", "cvvdp": "cvvdp"}
"""Measure to the distribution that computes it."""
MODULES = {"flip": "flip_evaluator", "ssimulacra2": "ssimulacra2", "cvvdp": "pycvvdp"}
PIXELS_PER_DEGREE = 67.02
"""FLIP's own viewing condition: .7 m from a display that is .7 m and 3,840 px wide."""
DISPLAY = "standard_4k"
"""ColorVideoVDP's: 30 inches, 3,840 x 2,160 px, 200 cd/m2, seen from .75 m (75.4 px per degree), in 250 lux."""


def package(name: str) -> dict[str, str]:
    """Distribution, version and viewing condition of a measure, for the manifest.

    Raises:
        UserError: where the package is missing.
    """
    if find_spec(MODULES[name]) is None:
        raise UserError(f"perceptual: {name} needs {PACKAGES[name]}: pip install 'robust-watermark[perceptual]'")
    found = {"package": PACKAGES[name], "version": version(PACKAGES[name])}
    seen_at = {"flip": f"{PIXELS_PER_DEGREE} px per degree", "cvvdp": DISPLAY}
    return found | ({"display": seen_at[name]} if name in seen_at else {})


@torch.no_grad()
def flip(images: Tensor, reference: Tensor) -> Tensor:
    """Mean of the FLIP map (Andersson et al., HPG 2020): 0 for equal pictures, 1 at most.

    Args:
        images: ``(N, 3, H, W)`` float in ``[0, 1]``, sRGB.
        reference: the originals, of the same shape.
    """
    return flip_map(images, reference).mean((-2, -1)).double()


def flip_map(images: Tensor, reference: Tensor) -> Tensor:
    """How much each pixel differs to an eye that flips between both: ``(N, H, W)`` in ``[0, 1]``."""
    import flip_evaluator

    settings = {"ppd": PIXELS_PER_DEGREE}
    maps = [
        flip_evaluator.evaluate(before, after, "LDR", applyMagma=False, parameters=dict(settings))[0][..., 0]
        for before, after in zip(_rows_first(reference), _rows_first(images), strict=True)
    ]
    return torch.from_numpy(np.stack(maps))


def ssimulacra2(images: Tensor, reference: Tensor) -> Tensor:
    """SSIMULACRA2 2.1 (Sneyers, Cloudinary, 2023) by the Python port: 100 for equal pictures.

    Its author's words for it: 90 cannot be told from the original at one glance, 70 is high quality, 50 medium.
    """
    from ssimulacra2 import compute_ssimulacra2

    pairs = zip(to_8bit(reference), to_8bit(images), strict=True)
    return torch.tensor([compute_ssimulacra2(*map(_as_file, pair)) for pair in pairs], dtype=torch.float64)


@torch.no_grad()
def cvvdp(images: Tensor, reference: Tensor) -> Tensor:
    """ColorVideoVDP (Mantiuk et al., SIGGRAPH 2024) in just-objectionable differences (JOD): 10 for equal pictures.

    At 9, of 100 people who see both, 75 prefer the original.
    """
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # it says at import that there is no CUDA
    import pycvvdp

    meter = pycvvdp.cvvdp(display_name=DISPLAY, heatmap="none", device=images.device, quiet=True)
    pairs = zip(images.float(), reference.float(), strict=True)
    return torch.stack([meter.predict(x, y, dim_order="CHW")[0].double() for x, y in pairs]).to(images.device)


def _rows_first(images: Tensor) -> list[np.ndarray]:
    return [np.ascontiguousarray(one) for one in images.permute(0, 2, 3, 1).float().cpu().numpy()]


def _as_file(image: Tensor) -> io.BytesIO:
    """The port reads files only; a PPM costs nothing."""
    file = io.BytesIO()
    pixels = (image.permute(1, 2, 0).cpu().numpy() * 255).round().astype(np.uint8)
    Image.fromarray(pixels).save(file, "PPM")
    file.seek(0)
    return file
