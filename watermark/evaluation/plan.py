"""The parts that a run is measured in, and their order; needs nothing but names and sizes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MAX_KEYS = 1000
"""Of a run: a manifest that somebody sent must not ask for a plan without end."""


@dataclass(frozen=True)
class Unit:
    """The smallest piece of work that is kept: one scheme under one key on one batch of pictures of one size."""

    scheme: str
    indices: tuple[int, ...]
    key: int = 0
    """Number of the key, from 0."""

    @property
    def name(self) -> str:
        """File name of its rows."""
        return f"{self.scheme}-{self.key}-{self.indices[0]:06d}-{len(self.indices)}"


def plan(schemes: Iterable[str], sizes: Sequence[tuple[int, int]], together: int, keys: int = 1) -> list[Unit]:
    """Scheme by scheme, key by key; pictures of one size that follow each other share a unit, at most ``together``."""
    groups: list[list[int]] = []
    for index, size in enumerate(sizes):
        if groups and len(groups[-1]) < together and sizes[groups[-1][0]] == size:
            groups[-1].append(index)
        else:
            groups.append([index])
    return [Unit(scheme, tuple(group), key) for scheme in schemes for key in range(keys) for group in groups]
