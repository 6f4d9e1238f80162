"""Round trips through real image files in memory: Pillow, in as many threads as torch has, no temporary files."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from attacks.functional import opencv

PillowEdit = Callable[[Image.Image], Image.Image]
BytesEdit = Callable[[np.ndarray], np.ndarray]


def to_pillow(images: Tensor) -> list[Image.Image]:
    """``(N, 3, H, W)`` in [0, 1] to 8-bit RGB pictures; rounds to the nearest level."""
    return [Image.fromarray(levels) for levels in _to_bytes(images)]


def from_pillow(pictures: list[Image.Image], like: Tensor) -> Tensor:
    """Pictures of one size to ``(N, 3, H, W)`` in [0, 1] on the device and in the type of ``like``."""
    return _from_bytes(
        [np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB")) for picture in pictures], like
    )


def save_and_load(picture: Image.Image, **settings: object) -> Image.Image:
    """What one gets back after ``Image.save(**settings)``."""
    buffer = io.BytesIO()
    picture.save(buffer, **settings)  # type: ignore[arg-type]
    with Image.open(buffer, formats=(str(settings["format"]),)) as loaded:
        loaded.load()
        return loaded if loaded.mode == "RGB" else loaded.convert("RGB")


def edit(images: Tensor, change: PillowEdit) -> Tensor:
    """Apply one function to each picture, in threads where torch has several: Pillow's codecs release the GIL."""
    return edit_bytes(images, lambda levels: np.asarray(change(Image.fromarray(levels))))


def edit_bytes(images: Tensor, change: BytesEdit) -> Tensor:
    """``edit`` for functions of bytes ``(H, W, 3)``."""

    def trip(image: Tensor) -> np.ndarray:
        return change(_to_bytes(image)[0])

    threads = min(len(images), torch.get_num_threads())
    if threads == 1:
        return _from_bytes([trip(image) for image in images.split(1)], images)
    with ThreadPoolExecutor(threads) as pool:
        return _from_bytes(list(pool.map(trip, images.split(1))), images)


def _to_bytes(images: Tensor) -> list[np.ndarray]:
    if opencv.serves(images.detach()):
        return [opencv.to_8bit(image) for image in images]
    levels = (images.detach() * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    return [*levels.cpu().numpy()]


def _from_bytes(pictures: list[np.ndarray], like: Tensor) -> Tensor:
    """Bytes go to the device and become floats there, one picture after the other: a CPU's cache holds one."""
    planes = np.empty((3, *pictures[0].shape[:2]), np.uint8)
    result = like.new_empty(len(pictures), *planes.shape)
    for levels, goal in zip(pictures, result, strict=True):
        opencv.split(levels, planes)
        goal.copy_(torch.from_numpy(planes).to(like.device)).div_(255)
    return result
