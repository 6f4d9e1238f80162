"""Drawing: how large a plane lies under a picture, which keyed pose it takes, and its waves under a mask."""

import hashlib

import torch
import torch.nn.functional as F
from torch import Tensor

from watermark.keys import Key, keyed_words
from watermark.schemes.lattice.settings import CANONICAL, MAX_AREA
from watermark.synchronization import Alignment, Poses
from watermark.synchronization.geometry import dihedral
from watermark.transforms.color import luma
from watermark.transforms.resample import resize


def native_scale(height: int, width: int) -> float:
    """Px per plane px at which pictures of this size are marked, but for the pose."""
    return max(1.0, min(height, width) / CANONICAL)


def reduced(planes: Tensor) -> tuple[Tensor, Tensor]:
    """Planes ``(N, C, H, W)`` at the size at which a picture is worked on.

    Returns:
        The planes, and ``(2,)`` how many px of the original one px of them is, along x and y.
    """
    height, width = planes.shape[-2:]
    shrink = min(1.0, (MAX_AREA / (height * width)) ** 0.5)
    small = resize(planes, (round(height * shrink), round(width * shrink)))
    return small, planes.new_tensor([width / small.shape[-1], height / small.shape[-2]])


def keyed_poses(poses: Poses, key: Key, purpose: str, images: Tensor, message: Tensor) -> Alignment:
    """The pose ``(N,)`` that each picture's mark takes, drawn by key, picture and message, in px of the pictures."""
    small = F.adaptive_avg_pool2d(luma(images), 16).mul(255).round().byte().flatten(1)
    scale, turns = native_scale(*images.shape[-2:]), torch.from_numpy(dihedral())
    matrices, shifts = [], []
    for picture, bits in zip(small.cpu().numpy(), message.cpu().numpy(), strict=True):
        digest = hashlib.sha256(picture.tobytes() + bits.tobytes()).hexdigest()
        turn, size, place = (int(word) for word in keyed_words(key, f"{purpose} pose {digest}", 3))
        size %= len(poses.scales)
        matrices.append(turns[turn % len(turns)] / (poses.scales[size] * scale))
        shifts.append(torch.from_numpy(poses.shifts[size, place % poses.shifts.shape[1]]))
    matrix, shift = (torch.stack(parts).float().to(images.device) for parts in (matrices, shifts))
    return Alignment(matrix, shift, shift.new_zeros(len(images)))
