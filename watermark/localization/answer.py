"""What is said of every pixel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from watermark.detection.answer import Detection

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

    @property
    def shares(self) -> dict[str, float]:
        """Of the picture's area: ``marked``, ``edited`` and ``unknown``."""
        return {name: float(getattr(self, name).mean()) for name in ("marked", "edited", "unknown")}
