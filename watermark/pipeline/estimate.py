"""What a run would cost, from a few pictures of the source that are worked on here and thrown away."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from watermark.errors import UserError
from watermark.pipeline import store
from watermark.pipeline.shards import Clock
from watermark.pipeline.sources import Entry
from watermark.pipeline.store import Place
from watermark.shown import shown

TRIED = 8


@dataclass(frozen=True)
class Estimate:
    """What was counted and what was measured.

    Attributes:
        pictures: of the source.
        bytes_read: of all of them; of the tried ones' mean where the source does not say.
        bytes_written: from the mean of the tried ones.
        core_seconds: of each tried picture, smallest first.
        failed: tried pictures that could not be worked on.
    """

    pictures: int
    bytes_read: int
    bytes_written: int
    core_seconds: tuple[float, ...]
    failed: int

    @property
    def core_hours(self) -> float:
        """Of all pictures, at the mean of the tried ones."""
        return self.pictures * sum(self.core_seconds) / max(1, len(self.core_seconds)) / 3600


def estimate(entries: Iterable[Entry], attempt: Callable[[Entry], int | None]) -> Estimate:
    """Count a source and try some of it.

    Args:
        entries: the pictures.
        attempt: works on one in memory, and gives the bytes that would be written; None where it failed.

    Raises:
        UserError: there are no pictures, or none of the tried ones could be worked on.
    """
    drawn: list[Entry] = []
    rng, count, size, unknown = random.Random(0), 0, 0, False
    for entry in entries:  # every picture has the same chance
        count += 1
        size, unknown = size + (entry.size or 0), unknown or entry.size is None
        if len(drawn) < TRIED:
            drawn.append(entry)
        elif (place := rng.randrange(count)) < TRIED:
            drawn[place] = entry
    if not count:
        raise UserError("expected pictures, got none")
    attempt(drawn[0])  # imports and first uses cost once
    seconds, written = [], []
    for entry in drawn:
        clock = Clock()
        made = attempt(entry)
        if made is not None:
            seconds.append(clock.read()[1])
            written.append(made)
    if not seconds:
        raise UserError(f"none of {len(drawn)} tried pictures could be worked on, {shown(drawn[0].uri)} among them")
    if unknown:
        size = count * sum(map(_size, drawn)) // len(drawn)
    mean = sum(written) / len(written)
    return Estimate(count, size, round(count * mean), tuple(sorted(seconds)), len(drawn) - len(seconds))


def _size(entry: Entry) -> int:
    if entry.size is not None:
        return entry.size
    with store.opened(Place.of(entry.uri)) as file:
        return int(file.size())
