"""One worker process: build what examines pictures, then answer through a pipe until it is closed.

It ends with its parent (``watermark.lifeline``), and leaves interrupts and SIGTERM to it: the parent lets it finish
what it has. This file imports no torch; what is built does.

"""

import contextlib
import importlib
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from watermark.errors import UserError, show_unexpected
from watermark.files import formats
from watermark.files.limits import TooLargeError, max_pixels
from watermark.lifeline import end_with_parent
from watermark.registry.database import RefusedError

NAME = "upload"
"""What errors call a picture."""


@dataclass(frozen=True)
class Finding:
    """What a worker found.

    Attributes:
        answer: the fields of the API's answer.
        said: the answer in a word, for the audit log: ``marked``, ``no mark``, ``match``, ...
        looks: perceptual hash of the picture.
    """

    answer: dict[str, Any]
    said: str
    looks: str


@dataclass(frozen=True)
class Refusal:
    """Why a picture was not looked at; see ``watermark.service.problems``."""

    status: int
    code: str
    detail: str


class Examines(Protocol):
    """What looks at pictures."""

    def examine(self, kind: str, content: bytes) -> Finding:
        """What was found in a file; UserError where it cannot be read."""
        ...


def refusal(kind: str, content: bytes, error: UserError) -> Refusal:
    """Why a picture, or a question of another ``kind``, could not be read, as the HTTP status that says it."""
    if isinstance(error, RefusedError):
        return Refusal(503, "registry-away", "the registry does not answer; try again later")
    if isinstance(error, TooLargeError):
        return Refusal(413, "too-large", f"expected a picture of at most {max_pixels():,} pixels")
    if kind == "binding":  # a question in JSON, no picture
        return Refusal(400, "bad-request", str(error))
    if formats.of_content(content) is None:
        return Refusal(415, "unsupported-media-type", "expected a picture of a format that is read here")
    return Refusal(422, "unreadable", str(error).removeprefix(f"{NAME}: "))


def main(pipe: Connection, module: str, name: str, arguments: tuple[Any, ...]) -> None:
    """The life of a worker.

    Args:
        pipe: to the parent, which first hears None, or the error for which nothing could be built.
        module: where ``name`` is.
        name: what builds an ``Examines``.
        arguments: for it.
    """
    end_with_parent()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    try:
        examiner: Examines = getattr(importlib.import_module(module), name)(*arguments)
    except UserError as error:
        pipe.send(error)
        return
    pipe.send(None)
    with contextlib.suppress(EOFError, OSError):
        while (job := pipe.recv()) is not None:
            pipe.send((answer(examiner, *job), resident_bytes()))


def answer(examiner: Examines, kind: str, content: bytes) -> Finding | Refusal | str:
    """What was found, why not, or the place of an unexpected error (a text)."""
    try:
        return examiner.examine(kind, content)
    except UserError as error:
        return refusal(kind, content, error)
    except Exception as error:  # the next picture is looked at all the same
        show_unexpected(error)
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "nowhere"
        return f"{type(error).__name__} at {where}"


def resident_bytes() -> int:
    """Memory of this process, 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
    except (OSError, ValueError, IndexError):
        return 0
