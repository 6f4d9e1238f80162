"""The strengths of an attack as a line from mild to harsh, and the search on it for where a mark is lost; no torch."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

Scale = Literal["log", "linear"]


@dataclass(frozen=True)
class Axis:
    """Every strength of an attack between two ends, by a level: 0 is the mild end, 1 the harsh one.

    Monotone by construction: the strength only ever moves from ``mild`` to ``harsh`` as the level grows.

    Attributes:
        scale: equal steps of the level are equal ratios of the strength (``log``) or equal differences (``linear``).
        mild: strength at level 0, in the attack's unit.
        harsh: strength at level 1; above or below ``mild``.
        step: strengths are ``mild`` plus or minus whole multiples of it; None: any, rounded to four digits.

    Example:
        >>> quality = Axis("log", mild=95, harsh=1, step=1)
        >>> [quality.strength(level) for level in (0, 0.5, 1)], round(quality.level(10), 2)
        ([95, 10, 1], 0.49)
    """

    scale: Scale
    mild: float
    harsh: float
    step: float | None = None

    def __post_init__(self) -> None:
        if self.scale not in get_args(Scale):
            raise ValueError(f"scale must be one of {', '.join(get_args(Scale))}, got {self.scale!r}")
        if not (math.isfinite(self.mild) and math.isfinite(self.harsh)) or self.mild == self.harsh:
            raise ValueError(f"mild and harsh must be two different numbers, got {self.mild} and {self.harsh}")
        if self.scale == "log" and not (self.mild > 0 and self.harsh > 0):
            raise ValueError(f"mild and harsh must be above 0 on a log scale, got {self.mild} and {self.harsh}")
        if self.step is not None and not 0 < self.step <= abs(self.harsh - self.mild):
            raise ValueError(f"step must be above 0 and fit between mild and harsh, got {self.step}")

    def strength(self, level: float) -> float:
        """The strength at a level in ``[0, 1]``."""
        if level in (0, 1):
            return self.harsh if level else self.mild
        low, high = self._scaled(self.mild), self._scaled(self.harsh)
        value = low + level * (high - low)
        value = math.exp(value) if self.scale == "log" else value
        if self.step is None:
            return float(f"{value:.4g}")
        return self.mild + round((value - self.mild) / self.step) * self.step

    def level(self, strength: float) -> float:
        """The level of a strength; one beyond an end counts as that end."""
        within = min(max(strength, min(self.mild, self.harsh)), max(self.mild, self.harsh))
        low, high = self._scaled(self.mild), self._scaled(self.harsh)
        return (self._scaled(within) - low) / (high - low)

    def _scaled(self, strength: float) -> float:
        return math.log(strength) if self.scale == "log" else strength


def search(axis: Axis, readings: int, survives: Callable[[float], bool]) -> None:
    """Ask at ``readings`` strengths at most, or one more, so that the answers enclose where a mark is lost.

    The harsh end is asked first: a mark found there never broke. Then the line is halved. The mild end is asked where
    all else was lost: a mark lost there broke at once. Every strength answered yes is milder than every one answered
    no; what lies between the last yes and the first no is 2^-(readings - 1) of the line, or a step.

    Args:
        axis: the line.
        readings: at least 2.
        survives: whether the mark is found at a strength.
    """
    if survives(axis.harsh):
        return
    low, high = 0.0, 1.0
    for _ in range(readings - 1):
        middle = axis.strength((low + high) / 2)
        if middle in (axis.strength(low), axis.strength(high)):  # a whole step apart: nothing lies between
            break
        if survives(middle):
            low = axis.level(middle)
        else:
            high = axis.level(middle)
    if low == 0:
        survives(axis.mild)
