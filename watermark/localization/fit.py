"""How well a map fits what was done to its picture, where that is known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_cdt

from watermark.localization.answer import Bools, Localization
from watermark.localization.regions import threshold
from watermark.localization.tiles import TILE

RATES = (1e-2, 1e-3)
"""Promised rates of false alarms at which the scores of regions are counted."""


@dataclass(frozen=True)
class Fit:
    """A map against the truth. All are shares of 0 to 1; None where there is nothing to take a share of.

    Attributes:
        area: of the picture that was edited.
        f1: of ``edited``, in px: twice what was edited and called so, over what was edited plus what was called so.
        iou: likewise, over what was edited or called so.
        alarms: of the regions that lie wholly in an edited part those called marked; the map promises few.
        reached: of these regions those whose score alone is as high as each of ``RATES`` asks for, mark or not.
        edited_marked: of the edited px those called marked; at the border of the part regions see both sides.
        unknown: of all px those called neither marked nor edited.
        kept_edited: of the px that were not edited those called edited.
    """

    area: float
    f1: float | None
    iou: float | None
    alarms: float | None
    reached: tuple[float | None, ...]
    edited_marked: float | None
    unknown: float
    kept_edited: float | None


def fit(where: Localization, part: Bools, around: Bools) -> Fit:
    """Compare a map with the truth.

    Args:
        where: the map.
        part: ``(H, W)``: this was edited.
        around: ``(H, W)``: this is none of the picture, such as the page around a screenshot, and counts nowhere.

    Raises:
        ValueError: if the sizes differ.
    """
    if not where.marked.shape == part.shape == around.shape:
        raise ValueError(f"expected a truth of the map's size {where.marked.shape}, got {part.shape}")
    counted, kept = ~around, ~around & ~part
    said = where.edited & counted
    both, either = int((said & part).sum()), int((said | part).sum())
    inside = within(part, where.reach)
    return Fit(
        area=float(part[counted].mean()) if counted.any() else 0.0,
        f1=2 * both / int(said.sum() + part.sum()) if part.any() else None,
        iou=both / either if part.any() else None,
        alarms=_share(where.marked, inside),
        reached=tuple(_share(where.score >= threshold(rate), inside) for rate in RATES),
        edited_marked=_share(where.marked, part),
        unknown=float(where.unknown[counted].mean()) if counted.any() else 0.0,
        kept_edited=_share(where.edited, kept),
    )


def within(part: Bools, reach: NDArray[np.float32]) -> Bools:
    """The px ``(H, W)`` of which the region around them lies in a part, with a tile to spare.

    What the score of a px was interpolated from are the regions around the middles of the tiles beside it.
    """
    if part.all():
        return part.copy()
    room: NDArray[np.int32] = distance_transform_cdt(part, "chessboard")  # px to the nearest that is not of the part
    deep: Bools = room > reach + TILE
    return deep & part


def _share(said: Bools, of: Bools) -> float | None:
    return float(said[of].mean()) if of.any() else None
