"""Round trips through real image files in memory: Pillow, one thread per image, no temporary files."""

import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image
from torch import Tensor

PillowEdit = Callable[[Image.Image], Image.Image]


def to_pillow(images: Tensor) -> list[Image.Image]:
    """``(N, 3, H, W)`` in [0, 1] to 8-bit RGB pictures; rounds to the nearest level."""
    array = (images.detach() * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return [Image.fromarray(picture) for picture in array]


def from_pillow(pictures: list[Image.Image], like: Tensor) -> Tensor:
    """Pictures of one size to ``(N, 3, H, W)`` in [0, 1] on the device and in the type of ``like``."""
    array = np.stack([np.asarray(picture.convert("RGB")) for picture in pictures])
    return torch.from_numpy(array).to(like.device).permute(0, 3, 1, 2).to(like.dtype).div(255).contiguous()


def save_and_load(picture: Image.Image, **settings: object) -> Image.Image:
    """What one gets back after ``Image.save(**settings)``."""
    buffer = io.BytesIO()
    picture.save(buffer, **settings)  # type: ignore[arg-type]
    with Image.open(buffer) as loaded:
        return loaded.convert("RGB")


def edit(images: Tensor, edits: PillowEdit | list[PillowEdit]) -> Tensor:
    """Apply one function (or one per image) to each picture in a pool of threads; Pillow's codecs release the GIL."""
    pictures = to_pillow(images)
    functions = edits if isinstance(edits, list) else [edits] * len(pictures)
    if len(pictures) == 1:
        return from_pillow([functions[0](pictures[0])], images)
    with ThreadPoolExecutor(min(len(pictures), os.cpu_count() or 1)) as pool:
        return from_pillow(list(pool.map(lambda function, picture: function(picture), functions, pictures)), images)
