"""A map drawn over its picture, in colours that the colour-blind tell apart."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from watermark.localization.answer import Localization

COLOURS = {"marked": (0, 158, 115), "edited": (213, 94, 0), "unknown": (90, 90, 90)}
"""Green, vermilion and grey (Okabe and Ito, Color Universal Design, 2008)."""
COVER = {"marked": 0.3, "edited": 0.6, "unknown": 0.6}
"""How much of the picture each colour hides."""


def drawn(image: Image.Image, where: Localization) -> Image.Image:
    """An RGB picture of the same size: green where the mark is, orange where it was edited, grey where nobody knows.

    Raises:
        ValueError: if the map is that of a picture of another size.
    """
    picture: NDArray[np.float32] = np.asarray(image.convert("RGB"), dtype=np.float32)
    if picture.shape[:2] != where.marked.shape:
        raise ValueError(f"expected a picture of the map's size {where.marked.shape}, got {picture.shape[:2]}")
    shown = picture.copy()
    for name, colour in COLOURS.items():
        part = getattr(where, name)
        shown[part] += COVER[name] * (np.array(colour, dtype=np.float32) - shown[part])
    for part in (where.marked, where.edited):
        edge = np.zeros_like(part)
        edge[1:] |= part[1:] != part[:-1]
        edge[:, 1:] |= part[:, 1:] != part[:, :-1]
        shown[edge] = 255
    return Image.fromarray(shown.round().astype(np.uint8))
