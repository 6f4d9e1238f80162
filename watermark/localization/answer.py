"""What is said of every pixel."""

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from watermark.detection.answer import Detection
from watermark.synchronization import straightened

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Localization:
    """A map of one picture. ``marked``, ``edited`` and ``unknown`` are disjoint and cover it.

    Attributes:
        marked: ``(H, W)``: the proven mark is here.
        edited: ``(H, W)``: it is not, although a picture that carries it would show it here.
        unknown: ``(H, W)``: neither can be said: places that hide no mark, compression that took it, borders between
            parts, and everything in a picture where no mark was proven.
        score: ``(H, W)`` float32: by how many standard deviations the region around each pixel speaks for the mark,
            over all keys that the mark might have had.
        reach: ``(H, W)`` float32: px from the middle of that region, a square, to each of its sides.
        false_alarm_rate: promised share of regions without the mark that are called marked.
        detection: whose mark it is.
        others: the maps of further marks, as in a collage, each proven at the same rate in what the marks before it
            left; their parts are ``edited`` or ``unknown`` here.
    """

    marked: Bools
    edited: Bools
    unknown: Bools
    score: NDArray[np.float32]
    reach: NDArray[np.float32]
    false_alarm_rate: float
    detection: Detection
    others: tuple["Localization", ...] = ()

    @classmethod
    def nowhere(cls, size: tuple[int, int], false_alarm_rate: float, detection: Detection) -> "Localization":
        """The map of a picture in which no mark was proven."""
        no = np.zeros(size, dtype=bool)
        nothing = np.zeros(size, dtype=np.float32)
        return cls(no, no.copy(), ~no, nothing, nothing.copy(), false_alarm_rate, detection)

    def slanted(self, slant: Tensor, size: tuple[int, int]) -> "Localization":
        """This map of a ``straightened`` picture as that of the picture itself; beyond its border nothing is known.

        Args:
            slant: ``(1, 2)`` by which it was straightened.
            size: height and width of the picture.
        """
        layers = np.stack([self.marked, self.edited, self.score, self.reach]).astype(np.float32)
        seen = straightened(torch.from_numpy(layers)[None], -slant.cpu(), "nearest")
        marked, edited, score, reach = F.interpolate(seen, size, mode="nearest-exact")[0].numpy()
        known = (marked > 0) | (edited > 0)
        return replace(self, marked=marked > 0, edited=edited > 0, unknown=~known, score=score, reach=reach)

    @property
    def shares(self) -> dict[str, float]:
        """Of the picture's area: ``marked``, ``edited`` and ``unknown``."""
        return {name: float(getattr(self, name).mean()) for name in ("marked", "edited", "unknown")}
