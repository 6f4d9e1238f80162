"""Constant robustness: as little of a change as leaves the message proven after a reference chain."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from watermark.schemes.base import Readout
from watermark.schemes.lattice.settings import CHAIN_QUALITY, CHAIN_SCALE, EVIDENCE_HALVINGS, FAINTER
from watermark.transforms.resample import resize

LN2 = math.log(2)


def just_enough(
    images: Tensor, change: Tensor, message: Tensor, read: Callable[[Tensor], Readout], goal: float
) -> Tensor:
    """``change`` ``(N, 3, H, W)``, every picture's as much weaker as its evidence after ``chain`` bears.

    Where the whole change falls short of the goal it is left as it is.

    Args:
        images: ``(N, 3, H, W)`` in [0, 1].
        change: the most that each picture may change.
        message: ``(N, K)`` bool, what was written.
        read: reads a batch blind.
        goal: decades; see ``decades``.
    """
    enough, too_faint = torch.zeros(len(images)), torch.full((len(images),), FAINTER)  # dB below the whole change
    for number in range(EVIDENCE_HALVINGS + 1):
        tried = (enough + too_faint) / 2 if number else enough
        marked = images + change * _factor(tried, change)
        found = decades(read(chain(marked)), message) >= goal
        if not number and not found.any():
            return change
        if not number:
            too_faint = torch.where(found, too_faint, enough)
        enough, too_faint = torch.where(found, tried, enough), torch.where(found, too_faint, tried)
    return change * _factor(enough, change)


def chain(images: Tensor) -> Tensor:
    """What the mark is to live through: ``(N, 3, H, W)`` at half the size, as JPEG files of quality 50."""
    height, width = (max(1, round(n * CHAIN_SCALE)) for n in images.shape[-2:])
    small = resize(images.clamp(0, 1), (height, width)).clamp(0, 1).mul(255).round().byte()
    saved = [_as_jpeg(picture) for picture in small.permute(0, 2, 3, 1).cpu().numpy()]
    return torch.from_numpy(np.stack(saved)).permute(0, 3, 1, 2).to(images) / 255


def decades(readout: Readout, message: Tensor) -> Tensor:
    """``(N,)``: by how many powers of ten a known message ``(N, K)`` stands above chance, in the best reading.

    Chernoff's bound on the chance that random signs agree with the soft bits as well. Who does not know the message
    pays for every word that he might have found: 15.7 decades for the 52 bits of both IDs in layout ``l64``.
    """
    readings = (
        readout.logits[:, None] if readout.others is None else torch.cat([readout.logits[:, None], readout.others], 1)
    )
    soft = readings / readings.square().mean(-1, keepdim=True).sqrt().clamp_min(1e-9)
    agreement = (soft * (message.to(soft) * 2 - 1)[:, None]).sum(-1)  # (N, C)
    tilt = torch.logspace(-2, 1, 40).to(soft)[:, None, None]
    steps = (tilt[..., None] * soft).abs()
    log_cosh = (steps + torch.nn.functional.softplus(-2 * steps) - LN2).sum(-1)  # (40, N, C)
    return (tilt * agreement - log_cosh).amax((0, 2)).clamp_min(0).cpu() / math.log(10)


def _as_jpeg(picture: np.ndarray) -> np.ndarray:
    import cv2

    file = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, CHAIN_QUALITY])[1]
    return np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR_RGB))


def _factor(decibels: Tensor, change: Tensor) -> Tensor:
    return (10 ** (-decibels / 20)).to(change)[:, None, None, None]
