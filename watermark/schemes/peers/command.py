"""A detector that is a program: status 0 says marked, 1 says not marked, any other is no answer."""

import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

from watermark.errors import UserError
from watermark.schemes.outside import Answer, OutsideMark
from watermark.shown import reason, shown

Detect = Callable[[Image.Image], bool]
"""A picture, 8-bit RGB, to whether it is marked; whatever it raises is counted as no answer."""
PLACE = "{}"
LAST_BYTES = 4096
"""Of what a program says, that are looked at."""


class Command(OutsideMark):
    """Somebody else's program as the detector.

    Args:
        detector: see ``command``.
        marked: see ``OutsideMark``.
        timeout: see ``command``.

    Raises:
        UserError: if the words are no command.
    """

    def __init__(self, detector: str, marked: str | None = None, timeout: float = 60.0) -> None:
        super().__init__(marked)
        self._words, self._detect = _split(detector), command(detector, timeout)

    def ask(self, picture: Image.Image) -> Answer:
        """See ``OutsideMark``.

        Raises:
            UserError: for another status.
            subprocess.TimeoutExpired: if it takes too long.
        """
        return Answer(self._detect(picture))

    def files(self) -> Sequence[Path]:
        """Those among the words of the command."""
        return [Path(word) for word in self._words if Path(word).is_file()]


def command(words: str, timeout: float = 60.0) -> Detect:
    """A function that asks a program.

    Args:
        words: the command; the name of a PNG file goes where it says ``{}``, or behind it; no shell sees it.
        timeout: seconds it may take for a picture.

    Raises:
        UserError: if the words are no command.
    """
    parts = _split(words)

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


def _split(words: str) -> list[str]:
    try:
        parts = shlex.split(words)
    except ValueError as error:
        raise UserError(f"detector: {error}") from None
    if not parts:
        raise UserError("detector: expected a command, got none")
    return parts if any(PLACE in part for part in parts) else [*parts, PLACE]


def _ran(words: Sequence[str], timeout: float) -> tuple[int, str]:
    """Status and the last of what a program said; of one that takes too long nothing is left that it started."""
    with tempfile.TemporaryFile() as told:
        try:
            program = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=told, stderr=subprocess.STDOUT, start_new_session=True
            )
        except OSError as error:
            raise UserError(f"cannot start {shown(words[0])} ({reason(error)})") from None
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
