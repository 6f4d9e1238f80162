"""One file of the authors' own code and weights, as ``TorchScriptMark`` and ``LatentMark`` take it.

    python -m watermark.schemes.peers.export wam       CLONE wam_mit.pth wam.pt
    python -m watermark.schemes.peers.export mbrs      CLONE EC_42.pth mbrs.pt
    python -m watermark.schemes.peers.export invismark CLONE paper.ckpt invismark.pt
    python -m watermark.schemes.peers.export ssl       out2048_yfcc_orig.pth dino_r50_plus.pth ssl.pt

WAM, MBRS and InvisMark publish a training checkpoint that nothing but their own code can load. CLONE is a copy of their
repository that you trust: its modules are imported, with the packages that they ask for. SSL needs torchvision and its
whitening layer in place of a clone. Checkpoints are read as numbers (``weights_only``), never run.
"""

import argparse
import importlib
import json
import sys
import types
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from watermark.errors import UserError
from watermark.schemes.peers.exported import SIDE, Features, Localized, Pair
from watermark.schemes.peers.peer import package


def wam(clone: Path, weights: Path) -> nn.Module:
    """Watermark Anything, github.com/facebookresearch/watermark-anything: ``wam_mit.pth`` (MIT)."""
    told = json.loads((clone / "checkpoints" / "params.json").read_text())
    bits, models = told["nbits"], _module("watermark_anything.models", clone)
    embedder, extractor, attenuation = (
        _yaml(clone / told[f"{part}_config"])[told[name]]
        for part, name in (
            ("embedder", "embedder_model"),
            ("extractor", "extractor_model"),
            ("attenuation", "attenuation"),
        )
    )
    change = _module("watermark_anything.data.transforms", clone)
    masking = _module("watermark_anything.modules.jnd", clone).JND(
        **attenuation, preprocess=change.unnormalize_img, postprocess=change.normalize_img
    )
    parts = {
        "embedder": models.build_embedder(told["embedder_model"], embedder, bits),
        "detector": models.build_extractor(told["extractor_model"], extractor, told["img_size"], bits),
        "attenuation": masking,
    }
    state = _checkpoint(weights)
    for name, part in parts.items():
        _fill(part, _below(state, f"{name}."), weights)
    return Localized(parts["embedder"], parts["detector"], parts["attenuation"], bits, told["scaling_w"])


def mbrs(clone: Path, weights: Path) -> nn.Module:
    """MBRS, github.com/jzyustc/MBRS (no licence is stated): 256 bits at 256 px, ``MBRS_256_m256/models/EC_42.pth``."""
    encoder = _module("network.Encoder_MP", clone).Encoder_MP(SIDE, SIDE, 256)
    decoder = _module("network.Decoder", clone).Decoder(SIDE, SIDE, 256)
    state = _checkpoint(weights)
    _fill(encoder, _below(state, "encoder."), weights)
    _fill(decoder, _below(state, "decoder."), weights)
    return Pair(encoder, decoder, 256)


def invismark(clone: Path, weights: Path) -> nn.Module:
    """InvisMark, github.com/microsoft/InvisMark (MIT): 100 bits at 256 px, ``paper.ckpt``."""
    vision = package("torchvision", "invismark", "torchvision").models
    vision.convnext_base = partial(_without_weights, vision.convnext_base)  # it would fetch ImageNet's first
    settings = _module("configs", clone).ModelConfig
    state = _checkpoint(weights, torch.serialization.safe_globals([settings]))
    model, told = _module("model", clone), state["config"]
    told.num_repeats = getattr(told, "num_repeats", 2)  # their model asks, their class does not say
    encoder, decoder = model.Encoder(told), model.Extractor(told)
    _fill(encoder, state["encoder_state_dict"], weights)
    _fill(decoder, state["decoder_state_dict"], weights)
    return Pair(encoder, decoder, told.num_encoded_bits)


def ssl(whitening: Path, weights: Path) -> nn.Module:
    """Self-supervised latents, github.com/facebookresearch/ssl_watermarking (CC-BY-NC): a ResNet-50 of DINO."""
    network = package("torchvision", "ssl", "torchvision").models.resnet50(weights=None)
    network.fc = nn.Identity()
    state = _checkpoint(weights, torch.serialization.safe_globals([argparse.Namespace]))
    state = next((state[name] for name in ("state_dict", "model_state_dict", "teacher") if name in state), state)
    state = {name.removeprefix("module.").removeprefix("backbone."): value for name, value in state.items()}
    _fill(network, {name: value for name, value in state.items() if name in network.state_dict()}, weights)
    layer = _checkpoint(whitening)
    if set(layer) != {"weight", "bias"}:
        raise UserError(f"{whitening}: expected a whitening layer of weight and bias, got {', '.join(layer):.80}")
    wide, deep = layer["weight"].shape
    head = nn.Linear(deep, wide)
    _fill(head, {name: deep * value for name, value in layer.items()}, whitening)
    return Features(network, head)


KINDS: dict[str, Callable[[Path, Path], nn.Module]] = {"wam": wam, "mbrs": mbrs, "invismark": invismark, "ssl": ssl}


def export(kind: str, beside: Path, weights: Path, output: Path) -> None:
    """Write the file.

    Args:
        kind: one of ``KINDS``.
        beside: the clone; for ``ssl`` the whitening layer.
        weights: the checkpoint.
        output: the file to write.

    Raises:
        UserError: if something is missing or does not fit, or the file is there; one line.
    """
    for path in (beside, weights):
        if not path.exists():
            raise UserError(f"{path}: no such file or folder")
    if output.exists():
        raise UserError(f"{output}: is there already")
    with warnings.catch_warnings(action="ignore"), torch.no_grad():
        torch.jit.script(KINDS[kind](beside, weights).eval()).save(str(output))


def _module(name: str, clone: Path) -> types.ModuleType:
    """A module of a clone, which is no package that could be installed."""
    if str(clone) not in sys.path:
        sys.path.insert(0, str(clone))
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UserError(f"{clone}: {name} cannot be imported ({error}); install what its README asks for") from None


def _yaml(path: Path) -> Any:
    return package("omegaconf", "wam", "omegaconf").OmegaConf.load(path)


def _without_weights(build: Callable[..., nn.Module], *_: object, **__: object) -> nn.Module:
    return build(weights=None)


def _checkpoint(path: Path, also: AbstractContextManager[None] | None = None) -> dict[str, Any]:
    """What ``torch.save`` wrote: numbers and plain values, and of classes those alone that ``also`` allows."""
    try:
        with also or torch.serialization.safe_globals([]):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle and zip have many ways to be broken
        raise UserError(f"{path}: expected a checkpoint of tensors ({str(error).splitlines()[0]:.120})") from None
    if not isinstance(found, dict):
        raise UserError(f"{path}: expected a checkpoint of tensors, got {type(found).__name__}")
    return found


def _below(state: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _fill(network: nn.Module, values: Mapping[str, Any], path: Path) -> None:
    try:
        network.load_state_dict(dict(values))
    except RuntimeError as error:
        raise UserError(f"{path}: {' '.join(str(error).split()):.200}") from None
    network.eval()


def main(argv: Sequence[str] | None = None) -> int:
    """The command in the head of this file."""
    parser = argparse.ArgumentParser("python -m watermark.schemes.peers.export", description=__doc__.split("\n")[0])
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("beside", type=Path, metavar="CLONE", help="their repository; for ssl the whitening layer")
    parser.add_argument("weights", type=Path, metavar="WEIGHTS", help="their checkpoint")
    parser.add_argument("output", type=Path, metavar="FILE", help="TorchScript file to write")
    args = parser.parse_args(argv)
    try:
        export(args.kind, args.beside.resolve(), args.weights.resolve(), args.output)
    except UserError as error:
        parser.exit(2, f"watermark: {error}\n")
    parser.exit(0, f"{args.output}\n")


if __name__ == "__main__":
    raise SystemExit(main())
