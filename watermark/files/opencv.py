"""OpenCV's coders: of deep pictures, which Pillow does not hold, and of large PNGs, which Pillow packs slowly."""

from functools import cache
from typing import Any

import numpy as np
from PIL import Image

FAST_PNG = 4_000_000
"""Px from which a PNG is packed faster, and a tenth larger."""


@cache
def loaded() -> Any:
    """OpenCV, imported where it is needed; what a file has wrong is told in our own words and not in its."""
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2


def encoded(suffix: str, values: np.ndarray, settings: list[int], held: dict[int, np.ndarray] | None = None) -> bytes:
    """A file of an array ``(H, W)`` or ``(H, W, C)`` in OpenCV's order of colours, and of metadata by its names.

    Raises:
        ValueError: it cannot be coded.
    """
    cv2, held = loaded(), held or {}
    try:
        fine, content = cv2.imencodeWithMetadata(suffix, values, list(held), list(held.values()), settings)
    except cv2.error as error:
        raise ValueError(str(error)) from None
    if not fine:
        raise ValueError("the encoder failed")
    return bytes(content.tobytes())


def png_settings(pixels: int) -> list[int]:
    """How a PNG of so many pixels is packed."""
    cv2 = loaded()
    if pixels <= FAST_PNG:
        return [cv2.IMWRITE_PNG_COMPRESSION, 6]
    # one filter for all rows: trying five of them takes as long as packing does
    return [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP]


def fast_png(image: Image.Image) -> bytes | None:
    """A PNG of a large picture's pixels; None where Pillow is as good."""
    cv2 = loaded()
    turned = {"L": None, "RGB": cv2.COLOR_RGB2BGR, "RGBA": cv2.COLOR_RGBA2BGRA}
    if image.width * image.height <= FAST_PNG or image.mode not in turned:
        return None
    values, order = np.asarray(image), turned[image.mode]
    values = values if order is None else cv2.cvtColor(values, order)
    return encoded(".png", values, png_settings(image.width * image.height))
