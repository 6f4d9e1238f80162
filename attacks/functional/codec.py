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
    parts = images.detach() if images.device.type == "cpu" else [*(images.detach() * 255).round().to(torch.uint8).cpu()]
    return [Image.fromarray(_bytes(image)) for image in parts]


def _bytes(image: Tensor) -> np.ndarray:
    """One picture at a time stays in a CPU's cache."""
    levels = image if image.dtype == torch.uint8 else (image * 255).round_().to(torch.uint8)
    return levels.permute(1, 2, 0).contiguous().numpy()


def from_pillow(pictures: list[Image.Image], like: Tensor) -> Tensor:
    """Pictures of one size to ``(N, 3, H, W)`` in [0, 1] on the device and in the type of ``like``."""
    width, height = pictures[0].size
    kind = like.dtype if like.device.type == "cpu" else torch.uint8
    values = torch.empty(len(pictures), 3, height, width, dtype=kind)
    for value, picture in zip(values, pictures, strict=True):
        value.copy_(torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1))
        if kind != torch.uint8:
            value.div_(255)
    return values if kind != torch.uint8 else values.to(like.device).to(like.dtype).div_(255)


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
