"""Pixels and soft bits of every lattice scheme, pinned: who changes them makes another mark, and raises its version.

``uv run python -m tests.schemes.test_lattice_golden`` writes what is expected anew.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor

from watermark.evaluation.agreement import SOFT_TOLERANCE
from watermark.images import to_8bit
from watermark.watermarker import Watermarker

EXPECTED = Path(__file__).parents[1] / "expected" / "lattice.json"
SCHEMES = ["tile_spread", "tile_spread_tough", "learned", "learned_tough"]
PICTURE = torch.from_numpy(data.astronaut()[:400:2, 100:420:2].copy()).permute(2, 0, 1)[None].float() / 255  # 200 x 160
BLOCK = slice(96, 112)
"""Rows and columns whose change is pinned."""


def pinned(name: str) -> dict[str, list[int] | list[float]]:
    """What is looked at: the change of a block in grey levels, soft bits of the whole and of a crop upside down."""
    marker = Watermarker.load(name, key="golden", device="cpu", target_psnr=40.0)
    marked = to_8bit(marker.embed(PICTURE, 7, 11))
    change = (marked - PICTURE).mul(255).round().sum(1)[0, BLOCK, BLOCK]
    cut = marked.rot90(2, (2, 3))[..., 20:190, 12:140]
    return {"change": change.int().flatten().tolist(), "whole": soft(marker, marked), "cut": soft(marker, cut)}


def soft(marker: Watermarker, images: Tensor) -> list[float]:
    """The first soft decisions, scaled to unit RMS."""
    logits = marker.scheme.decode(images).logits[0]
    return (logits / logits.square().mean().sqrt())[:48].double().numpy().round(4).tolist()


@pytest.mark.parametrize("name", SCHEMES)
def test_the_mark_is_what_it_was(name):
    expected, found = json.loads(EXPECTED.read_text())[name], pinned(name)
    change = np.abs(np.subtract(found["change"], expected["change"]))
    assert change.max() <= 3  # one level in each channel where another processor rounds otherwise
    assert (change > 0).mean() < 0.1
    for part in ("whole", "cut"):
        np.testing.assert_allclose(found[part], expected[part], rtol=0, atol=SOFT_TOLERANCE)


if __name__ == "__main__":
    EXPECTED.write_text(json.dumps({name: pinned(name) for name in SCHEMES}).replace("}, ", "},\n") + "\n")
