"""A program of somebody else's, as its author's type checker sees it: ``mypy --strict`` in ``.ci/run``.

It uses every public name as the documents say; a test runs it.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

import watermark
from attacks import Jpeg
from attacks.base import Attack, Generators
from watermark import Detection, Keyring, Layout, Payload, Readout, Scheme, UserError, Watermarker
from watermark.metrics.psnr import psnr


class Brighter(Scheme):
    """One bit: brighter or darker."""

    def residual(self, images: torch.Tensor, message: torch.Tensor) -> torch.Tensor:
        """A grey level up or down."""
        return (message[:, :1, None, None].float() * 2 - 1).expand_as(images) / 255

    def read(self, images: torch.Tensor) -> Readout:
        """How bright the picture is."""
        return Readout.of(images.mean((1, 2, 3))[:, None] - 0.5)


class Darker(Attack):
    """Takes a share of the light away."""

    differentiable, geometric, harder = True, False, "higher"
    unit, reproduces, neutral = "share of the light that is taken", "a dim screen", 0.0

    def transform(self, images: torch.Tensor, generators: Generators) -> torch.Tensor:
        """See the class."""
        return images * (1 - self.strength)


def names(found: Sequence[Detection]) -> list[tuple[int, int]]:
    """The IDs of the marked ones."""
    return [
        (one.provider_id, one.content_id) for one in found if one.provider_id is not None and one.content_id is not None
    ]


def survives(marker: Watermarker, picture: Image.Image, attacks: Sequence[Attack]) -> list[bool]:
    """Whether a mark is found after each attack."""
    marked = marker.embed(picture, provider_id=7, content_id=123)
    return [marker.detect(attack.picture(marked)).is_marked for attack in attacks]


def main(folder: Path) -> list[bool]:
    """Mark, attack, find, in three kinds of picture; whether each came out as it should."""
    marker = Watermarker.load("dwt_dct", key="a secret", target_psnr=42)
    pixels: npt.NDArray[np.uint8] = np.random.default_rng(0).integers(60, 200, (128, 160, 3), dtype=np.uint8)
    marked: npt.NDArray[np.uint8] = marker.embed(pixels, 1, 2)
    batch: torch.Tensor = marker.embed(torch.rand(2, 3, 128, 160), [1, 2], 3)
    one: Detection = marker.detect(marked)
    several: list[Detection] = marker.detect(batch)
    decibels: float = float(psnr(batch, batch)[0])
    kept = survives(marker, Image.fromarray(pixels), [Jpeg(quality=90), Darker(0.1)])
    own = Watermarker(partial(Brighter, 128), b"secret", layout=Layout(), false_positive_rate=1e-6)
    scheme: Scheme = own.scheme
    ring = Keyring.load("dwt_dct", {1: "a secret", 2: "another"}, target_psnr=42)
    whose: Detection = ring.detect(marked)
    try:
        payload: Payload = Payload(provider_id=1, content_id=2)
        Watermarker.load("none", key="a secret")
    except (UserError, ValueError) as error:
        refused = "none" in str(error)
    own_ids = (one.provider_id, one.content_id) == (payload.provider_id, payload.content_id)
    found = names(several) == [(1, 3), (2, 3)]
    return [
        bool(watermark.__version__),
        own_ids,
        whose.provider_id == 1,
        found,
        decibels > 99,
        *kept,
        scheme.target_psnr is None,
        refused,
        folder.is_dir(),
    ]
