"""Marking at more than 8 bits a channel: the mark of the 8-bit picture, added to the values as deep as they are.

A value is what the file holds, gamma or PQ encoded, over the greatest one: the same perceptual domain as of 8 bits.
Where the mark adds nothing a value stays as it is to the last bit, and the PSNR is that of the marked 8-bit picture.
"""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from watermark import strips
from watermark.codec import Payload
from watermark.files.deep import Deep
from watermark.metrics.psnr import psnr_of_arrays
from watermark.pixels import to_tensor

if TYPE_CHECKING:
    from watermark.watermarker import Watermarker


@torch.no_grad()
def embed_deep(marker: "Watermarker", picture: Deep, provider_id: int, content_id: int) -> Deep:
    """A marked copy; transparency and metadata stay.

    Raises:
        ValueError: if an ID does not fit the layout, or the picture is too small.
    """
    colour, levels = picture.colour, picture.levels
    if grey := bool((colour == colour[..., :1]).all()):
        colour = colour[..., :1]
    seen = replace(picture, colour=colour).at_8bit()
    change = _change(marker, seen, Payload(provider_id, content_id))[:, : 1 if grey else 3]
    of_8bit = np.asarray(seen).reshape(colour.shape)
    wanted = psnr_of_arrays(strips.added(of_8bit, change), of_8bit, 255)
    marked = strips.added(colour, change, levels)
    if math.isfinite(wanted):  # rounding to 8 bits is an error too, which a deep picture has not
        reached = psnr_of_arrays(marked, colour, levels)
        marked = strips.added(colour, change * 10 ** ((reached - wanted) / 20), levels)
    return replace(picture, colour=np.repeat(marked, picture.colour.shape[2] // marked.shape[2], axis=2))


def _change(marker: "Watermarker", image: Image.Image, payload: Payload) -> Tensor:
    """What a mark adds to an 8-bit picture, ``(1, 1 or 3, h, W)``, of reduced height where the picture is large."""
    if strips.is_large(marker.scheme, *image.size):
        pixels = np.asarray(image).reshape(image.height, image.width, -1)
        return strips.reduced_change(marker.scheme, image, pixels, marker.codec.encode([payload]), marker.device)
    images = to_tensor(image).to(marker.device)
    return (marker.embed_batch(images, [payload]) - images).cpu()
