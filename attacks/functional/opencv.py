"""OpenCV's filters and warps, for what torch does slowly on a CPU: single precision, no gradients, any batch.

Same kernels, same borders, same positions as the torch code beside every caller; ``tests/attacks/test_fast_paths.py``
bounds the difference. From version 5 on only: before, OpenCV rounded the positions of a warp to 1/32 of a pixel.
"""

import itertools
from types import ModuleType
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Mode = Literal["bicubic", "bilinear", "nearest"]
LARGEST_SIDE = 32_000
"""Pixels; OpenCV keeps positions inside a warped picture as 16-bit integers."""


TILE = 128
"""Side of the squares in which a bicubic warp is found: what they look up, and they themselves, stay in the cache."""


def serves(*tensors: Tensor) -> bool:
    """Whether these tensors may go through OpenCV: float32 on a CPU, nobody waits for a gradient, not too large."""
    return all(
        tensor.device.type == "cpu"
        and tensor.dtype == torch.float32
        and not (tensor.requires_grad and torch.is_grad_enabled())
        and max(tensor.shape) <= LARGEST_SIDE
        for tensor in tensors
    )


def separable(images: Tensor, kernel: Tensor) -> Tensor:
    """Convolve rows and columns of ``(N, C, H, W)`` with one symmetric ``kernel``; borders are continued."""
    cv2, taps = _library(), kernel.numpy()
    result = torch.empty_like(images, memory_format=torch.contiguous_format)
    for source, goal in zip(_planes(images), _planes(result), strict=True):
        cv2.sepFilter2D(source, -1, taps, taps, goal, borderType=cv2.BORDER_REPLICATE)
    return result


def box_blur(images: Tensor, radius: int) -> Tensor:
    """Mean over a ``2 radius + 1`` square of ``(N, C, H, W)``; borders are continued."""
    cv2, size = _library(), (2 * radius + 1,) * 2
    result = torch.empty_like(images, memory_format=torch.contiguous_format)
    for source, goal in zip(_planes(images), _planes(result), strict=True):
        cv2.blur(source, size, goal, borderType=cv2.BORDER_REPLICATE)
    return result


def sample(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Look up ``(N, C, H, W)`` at pixel positions ``x``, ``y`` ``(N or 1, h, w)``; borders are continued.

    Bicubic (a = -0.75, as in torch): values may overshoot.
    """
    cv2 = _library()
    result = images.new_empty(*images.shape[:2], *x.shape[1:])
    for i, image in enumerate(images):
        at = min(i, len(x) - 1)
        stacked = cv2.merge([*image.detach().contiguous().numpy()])  # (H, W, C): a position is looked up once
        found = cv2.remap(stacked, x[at].numpy(), y[at].numpy(), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        split(found, result[i].numpy())
    return result


def project(images: Tensor, matrices: np.ndarray, size: tuple[int, int], outside: float, mode: Mode) -> Tensor:
    """Look up ``(N, 3, H, W)`` through homographies ``(N or 1, 3, 3)`` of pixel indices.

    Beyond the border every pixel is ``outside``. Bicubic (a = -0.75, as in torch) values may overshoot.
    """
    cv2 = _library()
    kinds = {"bicubic": cv2.INTER_CUBIC, "bilinear": cv2.INTER_LINEAR, "nearest": cv2.INTER_NEAREST}
    how = kinds[mode] | cv2.WARP_INVERSE_MAP
    border = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": (outside,) * 4}
    result = images.new_empty(len(images), 3, *size)
    everyone = np.broadcast_to(matrices, (len(images), 3, 3))
    found = np.empty((TILE, TILE, 3), np.float32)
    for image, goal, matrix in zip(images.detach().contiguous().numpy(), result.numpy(), everyone, strict=True):
        if mode != "bicubic":  # each channel alone: fresh memory would cost more than the positions
            for source, plane in zip(image, goal, strict=True):
                cv2.warpPerspective(source, matrix, size[::-1], plane, how, **border)
            continue
        stacked = cv2.merge([*image])  # side by side, so that a position and its 16 weights are worked out once
        for top, left in itertools.product(range(0, size[0], TILE), range(0, size[1], TILE)):
            tile = goal[:, top : top + TILE, left : left + TILE]
            lookup = matrix @ np.array([[1, 0, left], [0, 1, top], [0, 0, 1]])
            part = found.reshape(-1)[: tile.size].reshape(*tile.shape[1:], 3)
            if np.array_equal(lookup[2], (0, 0, 1)):  # no depth to divide by
                cv2.warpAffine(stacked, lookup[:2], tile.shape[:0:-1], part, how, **border)
            else:
                cv2.warpPerspective(stacked, lookup, tile.shape[:0:-1], part, how, **border)
            split(part, tile)
    return result


def power(images: Tensor, exponent: float) -> Tensor:
    """``images ** exponent`` for values above 0, as the exponential of a multiple of the logarithm."""
    cv2 = _library()
    result = torch.empty_like(images, memory_format=torch.contiguous_format)
    for source, goal in zip(_planes(images), _planes(result), strict=True):
        cv2.log(source, goal)
        torch.from_numpy(goal).mul_(exponent)
        cv2.exp(goal, goal)
    return result


def turn_hue(images: Tensor, turn: float) -> Tensor:
    """Turn the hue circle of ``(N, 3, H, W)`` by a share of a full turn."""
    cv2 = _library()
    result = torch.empty_like(images, memory_format=torch.contiguous_format)
    for image, goal in zip(images.detach().contiguous().numpy(), result.numpy(), strict=True):
        colours = cv2.cvtColor(cv2.merge([*image]), cv2.COLOR_RGB2HSV)  # hue in degrees
        split(cv2.cvtColor(cv2.add(colours, (360 * (turn % 1), 0, 0, 0)), cv2.COLOR_HSV2RGB), goal)
    return result


def to_8bit(image: Tensor) -> np.ndarray:
    """One picture ``(3, H, W)`` in [0, 1] to bytes ``(H, W, 3)``, rounded to the nearest level (halves to even)."""
    cv2 = _library()
    flat = image.detach().contiguous().view(-1, image.shape[-1]).numpy()
    return cv2.merge([*cv2.convertScaleAbs(flat, alpha=255).reshape(image.shape)])


def split(levels: np.ndarray, goal: np.ndarray) -> None:
    """Write ``(H, W, C)`` into ``(C, H, W)``."""
    _library().split(levels, [*goal])


def jpeg(levels: np.ndarray, quality: int, subsampling: str) -> np.ndarray:
    """Bytes ``(H, W, 3)`` through a baseline JPEG file (libjpeg-turbo, the very bytes that Pillow would write)."""
    cv2 = _library()
    colour = getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{subsampling.replace(':', '')}")
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, colour]
    file = cv2.imencode(".jpg", cv2.cvtColor(levels, cv2.COLOR_RGB2BGR), settings)[1]
    return cv2.imdecode(file, cv2.IMREAD_COLOR_RGB)


def median(levels: np.ndarray, size: int) -> np.ndarray:
    """Median of every channel of bytes ``(H, W, 3)`` over a ``size x size`` square; borders are continued."""
    return _library().medianBlur(levels, size)


def inpainted(image: Tensor, hole: Tensor, radius: float) -> Tensor:
    """``(3, H, W)`` with ``hole`` ``(H, W)`` filled in from its border, in 8 bits (Telea, 2004)."""
    cv2 = _library()
    filled = cv2.inpaint(to_8bit(image), hole.numpy().astype(np.uint8), radius, cv2.INPAINT_TELEA)
    return torch.from_numpy(filled).permute(2, 0, 1).float() / 255


def _planes(images: Tensor) -> np.ndarray:
    """All planes as one array ``(N C, H, W)``; a view if ``images`` is contiguous."""
    return images.detach().contiguous().flatten(0, 1).numpy()


def _library() -> ModuleType:
    """Imported when first needed; as many threads as torch has."""
    import cv2

    cv2.setNumThreads(torch.get_num_threads())
    return cv2
