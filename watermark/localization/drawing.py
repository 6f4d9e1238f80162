"""A map drawn over its picture, which turns grey, so that the colours are the map's; what was edited is striped too."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation, binary_erosion

from watermark.localization.answer import Bools, Localization

COLOURS = {"marked": (0, 114, 178), "edited": (213, 94, 0), "unknown": (90, 90, 90)}
ANOTHER = (240, 228, 66)
"""Blue, vermilion, grey, and yellow for another mark (Okabe and Ito, Color Universal Design, 2008)."""
COVER = {"marked": 0.3, "edited": 0.6, "unknown": 0.6}
"""How much of the picture each colour hides."""
STRIPES = 60
"""Stripes along the longer side over what was edited: who sees no colours sees them."""
OUTLINE = 300
"""Of the longer side, how many lines of an outline's half width."""


def drawn(image: Image.Image, where: Localization) -> Image.Image:
    """An RGB picture of the same size: blue the mark, orange and striped edited, yellow another mark, else grey.

    Raises:
        ValueError: if the map is that of a picture of another size.
    """
    grey = np.asarray(image.convert("RGB").convert("L"), dtype=np.float32)
    if grey.shape != where.marked.shape:
        raise ValueError(f"expected a picture of the map's size {where.marked.shape}, got {grey.shape}")
    shown: NDArray[np.float32] = np.repeat(grey[..., None], 3, axis=2)
    for name, colour in COLOURS.items():
        part = getattr(where, name)
        shown[part] += COVER[name] * (np.array(colour, dtype=np.float32) - shown[part])
    shown[where.edited & _stripes(grey.shape)] *= 0.6
    for other in where.others:
        part = other.marked & ~where.marked
        shown[part] = grey[part, None] + COVER["marked"] * (np.array(ANOTHER, dtype=np.float32) - grey[part, None])
    for part in (where.marked, where.edited):
        edge = np.zeros_like(part)
        edge[1:] |= part[1:] != part[:-1]
        edge[:, 1:] |= part[:, 1:] != part[:, :-1]
        shown[edge] = 255
    return Image.fromarray(shown.round().astype(np.uint8))


def overview(image: Image.Image, where: Localization, side: int) -> Image.Image:
    """``drawn``, no larger than ``side`` px: every so many pixels of the map, on a picture made as small."""
    step = -(-max(where.marked.shape) // side)
    maps = {name: getattr(where, name)[::step, ::step] for name in COLOURS}
    others = tuple(replace(other, marked=other.marked[::step, ::step]) for other in where.others)
    small = replace(where, **maps, others=others)
    return drawn(image.convert("RGB").resize(small.marked.shape[::-1]), small)


def outlined(image: Image.Image, part: Bools) -> Image.Image:
    """A picture with the outline of a part ``(H, W)`` in dashes of black and white, which are seen on anything."""
    shown = np.asarray(image.convert("RGB")).copy()
    wide = max(1, max(part.shape) // OUTLINE)
    outline = binary_dilation(part, iterations=wide) & ~binary_erosion(part, iterations=wide, border_value=1)
    rows, columns = np.indices(part.shape)
    shown[outline] = np.where((rows + columns) // (4 * wide) % 2, 255, 0)[outline][:, None]
    return Image.fromarray(shown)


def _stripes(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Diagonal ones, a third of the area."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    pitch = max(6, max(shape) // STRIPES)
    stripes: NDArray[np.bool_] = (rows + columns) % pitch < pitch // 3
    return stripes
