"""The cells of a composed suite: each attack at each of its strengths, or along an axis that is searched."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from attacks.base import Attack
from watermark.config import build
from watermark.errors import UserError
from watermark.evaluation.axis import Axis


@dataclass(frozen=True)
class Search:
    """Where along an attack's axis is the mark lost?

    Attributes:
        axis: the strengths.
        readings: how many of them are read, at most, for one picture.
        build: the attack at a strength.
    """

    axis: Axis
    readings: int
    build: Callable[[float], Attack]


@dataclass(frozen=True)
class Cell:
    """One attack at one strength; ``attack is None`` for the unattacked picture.

    With a ``search`` the strength is the harsh end of its axis: unmarked pictures are read there, and a marked one
    there and where the search leads it.
    """

    name: str
    parameter: str | None
    strength: float | None
    attack: Attack | None
    search: Search | None = None

    def at(self, strength: float) -> "Cell":
        """The same attack at another strength of its axis."""
        assert self.search is not None
        return replace(self, strength=float(strength), attack=self.search.build(strength))


MOST_READINGS = 24
"""Of a search: by then an axis is cut into parts that no strength of four digits falls between."""


def suite_cells(suite: dict[str, Any]) -> list[Cell]:
    """The cells of a composed suite: the unattacked picture, then attack by attack, rung by rung.

    An attack that says ``search: 6`` is one cell: its axis is searched in about six readings in place of its rungs.

    Raises:
        UserError: if an attack refuses its strength, or has no axis to search.
    """
    cells = [Cell("identity", None, None, None)]
    for name, entry in suite.items():
        if name != "identity":
            cells += _cells_of(name, entry)
    return cells


def _cells_of(name: str, entry: dict[str, Any]) -> list[Cell]:
    partial = build(entry["build"])
    sweep = entry.get("sweep") or {}
    if len(sweep) > 1:
        raise UserError(f"suite.{name}.sweep: expected one parameter, got {', '.join(sweep)}")
    try:
        if not sweep:
            attack = partial()
            return [Cell(name, None, None, attack)]
        parameter, values = next(iter(sweep.items()))
        if entry.get("search") is not None:
            return [_search_of(name, parameter, entry, lambda strength: partial(**{parameter: strength}))]
        check_numbers(f"suite.{name}.sweep.{parameter}", values)
        return [Cell(name, parameter, float(value), partial(**{parameter: value})) for value in values]
    except UserError:
        raise
    except (TypeError, ValueError, OSError) as error:  # OSError: weights that are not there
        raise UserError(f"suite.{name}: {error}") from None


def check_numbers(name: str, values: Any) -> None:
    """Refuse rungs that are no list of numbers.

    Raises:
        UserError: naming what was given.
    """
    listed = isinstance(values, Sequence) and not isinstance(values, str)
    if not listed or not all(isinstance(value, int | float) for value in values):
        raise UserError(f"{name}: expected a list of numbers such as [1,2], got {values}")


def _search_of(name: str, parameter: str, entry: dict[str, Any], build: Callable[[float], Attack]) -> Cell:
    """One cell for the whole axis of an attack, both ends of which are built, so that a wrong one is told at once.

    Raises:
        ValueError, TypeError: if the axis is none, or does not lead to where the attack is harder.
    """
    if not isinstance(entry.get("axis"), dict):
        raise ValueError("has no axis to search; expected axis: {scale: log, mild: ..., harsh: ...}")
    if not isinstance(entry["search"], int) or not 2 <= entry["search"] <= MOST_READINGS:
        raise ValueError(f"search: expected 2 to {MOST_READINGS} readings, got {entry['search']}")
    axis = Axis(**entry["axis"])
    _, harsh = build(axis.mild), build(axis.harsh)
    if wrong := _wrong_way(axis, harsh):
        raise ValueError(f"axis: {wrong}, got mild {axis.mild:g} and harsh {axis.harsh:g}")
    return Cell(name, parameter, float(axis.harsh), harsh, Search(axis, entry["search"], build))


def _wrong_way(axis: Axis, attack: Attack) -> str | None:
    """Why the ends of an axis do not fit the attack, or None."""
    rises, neutral = axis.harsh > axis.mild, attack.neutral
    if attack.harder != "away":
        return None if rises == (attack.harder == "higher") else f"{attack.harder} strengths are the harsher ones"
    if neutral is not None and (axis.mild < neutral if rises else axis.mild > neutral):
        return f"expected both ends on one side of {neutral:g}, where the attack does nothing"
    return None
