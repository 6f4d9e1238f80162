"""Several marks in one picture: what carries a proven mark is smoothed away, and the rest is read once more."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from watermark.localization.answer import Localization
from watermark.transforms.resample import resize

MOST_MARKS = 4
"""Marks that are looked for in one picture."""
LEAST = 0.1
"""Share of a picture without the mark in which another is looked for: much less than that is seldom read."""
SMOOTH = 32
"""Px of which the smoothed part keeps one: coarser than any wave of a mark."""


def may_hold_more(found: Localization) -> bool:
    """Whether enough of the picture is left for another mark, and anything was found that can be smoothed away."""
    return found.detection.is_marked and bool(0 < found.marked.mean() <= 1 - LEAST)


def is_another(found: Localization, before: Sequence[Localization]) -> bool:
    """Whether a mark is proven that is not just what smoothing left of one before: its IDs, and nowhere a place."""
    ids = [(one.detection.provider_id, one.detection.content_id) for one in (found, *before)]
    return found.detection.is_marked and (bool(found.marked.any()) or ids[0] not in ids[1:])


def without(image: Tensor, found: Localization) -> Tensor:
    """A picture ``(1, 3, h, w)`` with the part smoothed away that carries a proven mark."""
    height, width = image.shape[-2:]
    part = torch.from_numpy(found.marked)[None, None].to(image)
    covered = F.interpolate(part, (height, width)) > 0.5
    few = F.adaptive_avg_pool2d(image, (max(1, height // SMOOTH), max(1, width // SMOOTH)))
    return torch.where(covered, resize(few, (height, width)).clamp(0, 1), image)
