"""Somebody else's mark, somebody else's detector: what survives, and how often is a mark seen that is not there?

Nothing is embedded, and nothing is known of the detector but its answer, so there is no p-value: the false alarms that
are counted on unmarked pictures are all that says how far a "found" is to be believed.
"""

import os
import shlex
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from watermark.errors import UserError
from watermark.evaluation.job import Cell
from watermark.files import look
from watermark.keys import keyed_words
from watermark.metrics.rates import wilson
from watermark.pixels import ready
from watermark.shown import reason, shown

Detect = Callable[[Image.Image], bool]
"""A picture, 8-bit RGB, to whether it is marked; whatever it raises is counted as no answer."""
PLACE = "{}"
LAST_BYTES = 4096
"""Of what a program says, that are looked at."""


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


def command(words: str, timeout: float = 60.0) -> Detect:
    """A detector that is a program: status 0 says marked, 1 says not marked, any other is no answer.

    Args:
        words: the command, with ``{}`` where the name of a PNG file goes; no shell sees it.
        timeout: seconds it may take for a picture.

    Raises:
        UserError: if the words have no place for the file.
    """
    try:
        parts = shlex.split(words)
    except ValueError as error:
        raise UserError(f"--detector: {error}") from None
    if not any(PLACE in part for part in parts):
        raise UserError(f"--detector: expected a command with {PLACE} where the file goes, got {words!a}")

    def detect(picture: Image.Image) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "picture.png"
            picture.save(path)
            asked = [part.replace(PLACE, str(path)) for part in parts]
            status, said = _ran(asked, timeout)
        if status not in (0, 1):
            raise UserError(f"status {status}: {shown((said.strip() or 'nothing').splitlines()[-1])}")
        return status == 0

    return detect


def _ran(words: Sequence[str], timeout: float) -> tuple[int, str]:
    """Status and the last of what a program said; of one that takes too long nothing is left that it started."""
    with tempfile.TemporaryFile() as told:
        program = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=told, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            status = program.wait(timeout)
        except BaseException:
            _end(program)
            raise
        told.seek(max(0, told.seek(0, os.SEEK_END) - LAST_BYTES))
        return status, told.read().decode("utf-8", "replace")


def _end(program: "subprocess.Popen[bytes]") -> None:
    """Kill a program that leads a group, and the group."""
    if hasattr(os, "killpg"):
        os.killpg(program.pid, signal.SIGKILL)  # not waited for, so the number is still its own
    program.kill()
    program.wait()


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
