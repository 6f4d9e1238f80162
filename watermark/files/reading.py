"""A file's content, if it is a regular file: a named pipe would be waited for, a device never ends."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from watermark.errors import UserError
from watermark.shown import reason, shown

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def read_regular(path: Path, at_most: int, check: Callable[[os.stat_result], None] | None = None) -> bytes:
    """A regular file's content, opened without waiting for anybody.

    Args:
        path: a file, or a link to one.
        at_most: bytes; more is refused before anything is read.
        check: looks at the facts of the file that was opened.

    Raises:
        UserError: in one line.
    """
    try:
        with os.fdopen(os.open(path, _FLAGS), "rb") as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise UserError(f"{shown(path)}: cannot be read (not a regular file)")
            if check is not None:
                check(facts)
            content = file.read(at_most + 1) if facts.st_size <= at_most else b""
            if facts.st_size > at_most or len(content) > at_most:
                raise UserError(f"{shown(path)}: cannot be read (larger than {_words(at_most)})")
            return content
    except FileNotFoundError:
        raise UserError(f"{shown(path)}: no such file") from None
    except IsADirectoryError:
        raise UserError(f"{shown(path)}: expected a file, got a folder") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{shown(path)}: cannot be read ({reason(error)})") from None


def _words(size: int) -> str:
    return f"{size >> 20} MiB" if size >= 2**20 else f"{size} bytes"
