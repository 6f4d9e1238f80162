"""Somebody else's mark, somebody else's detector: what survives, and how often is a mark seen that is not there?

Nothing is embedded, and nothing is known of the detector but its answer, so there is no p-value: the false alarms that
are counted on unmarked pictures are all that says how far a "found" is to be believed.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from watermark.errors import UserError, show_unexpected
from watermark.evaluation.suite import Cell
from watermark.files import look
from watermark.keys import keyed_words
from watermark.metrics.rates import wilson
from watermark.pixels import ready
from watermark.schemes.peers.command import Detect
from watermark.shown import reason


@dataclass(frozen=True)
class Count:
    """Answers after one attack, of marked or of unmarked pictures.

    Attributes:
        attack: its name in the suite; ``identity`` for none.
        parameter: what is swept, None where nothing is.
        strength: its value.
        marked: whether the pictures carried a mark.
        found: pictures in which the detector saw one.
        n: pictures to which it gave an answer.
        failed: pictures to which it gave none, left out of ``n``.
        why: what it said at the first of them.
    """

    attack: str
    parameter: str | None
    strength: float | None
    marked: bool
    found: int
    n: int
    failed: int
    why: str | None

    @property
    def interval(self) -> tuple[float, float]:
        """95 % of the share found, Wilson over pictures."""
        return wilson(self.found, self.n) if self.n else (0.0, 1.0)


def measure(
    pictures: Sequence[Path], detect: Detect, cells: Iterable[Cell], *, marked: bool, seed: int = 0
) -> Iterator[Count]:
    """Attack every picture and ask the detector, one cell after the other.

    Args:
        pictures: files, read anew for every cell; all can be.
        detect: the detector.
        cells: of a suite.
        marked: whether somebody marked the pictures.
        seed: of the attacks' draws: the same for every detector, another for every picture and cell.
    """
    for cell in cells:
        answers: Counter[bool] = Counter()
        why = []
        for number, path in enumerate(pictures):
            picture = ready(look(path)).convert("RGB")
            draw = int(keyed_words(seed, f"{cell.name} {cell.parameter} {cell.strength} {number}", 1)[0] >> 2)
            attacked = picture if cell.attack is None else cell.attack.picture(picture, draw)
            try:
                answers[bool(detect(attacked))] += 1
            except Exception as error:
                show_unexpected(error)
                why.append(str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {reason(error)}")
        yield Count(
            attack=cell.name,
            parameter=cell.parameter,
            strength=cell.strength,
            marked=marked,
            found=answers[True],
            n=answers.total(),
            failed=len(why),
            why=why[0] if why else None,
        )
