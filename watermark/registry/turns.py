"""Writers of one SQLite file, one after the other in the order in which they came.

SQLite's own waiting is a poll: who has waited longest asks least often, and one of eight busy writers waits seconds
for its turn. Here each writer draws a number and sleeps in the kernel until everybody with a lower one is done. The
locks belong to open files, so a writer that is killed leaves the queue at once. The queue is for fairness only: what
keeps writers apart is still SQLite's lock.
"""

import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from watermark.errors import UserError

try:
    import fcntl

    _SET, _WAIT = fcntl.F_OFD_SETLK, fcntl.F_OFD_SETLKW
except (ImportError, AttributeError):  # not Linux: SQLite's own waiting has to do
    _SET = _WAIT = 0

_DRAWING = 1 << 62  # the byte that is locked while a number is drawn; byte n is locked by the writer with number n


@contextmanager
def turn(path: Path, seconds: float) -> Iterator[None]:
    """Stand in the queue that lives in the file ``path``; where there can be none, go ahead.

    Raises:
        UserError: the others were not done within ``seconds``.
    """
    ticket = _draw(path) if _SET else None
    if ticket is None:
        yield
        return
    handle, number = ticket
    try:
        if not _is_first(handle, number):
            waiting = threading.Thread(target=_wait, args=(os.dup(handle), number), daemon=True)
            waiting.start()
            waiting.join(seconds)  # the kernel's own wait knows no time limit
            if waiting.is_alive():
                raise UserError(f"the registry was busy for {seconds:g} seconds; nothing was changed")
        yield
    finally:
        os.close(handle)


def _draw(path: Path) -> tuple[int, int] | None:
    """An open file and the number drawn from it; None on a full or read-only disk, or without such locks."""
    try:
        handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        return None
    try:
        _lock(handle, _WAIT, fcntl.F_WRLCK, _DRAWING, 1)
        number = 1 + int.from_bytes(os.pread(handle, 8, 0), "little") % (_DRAWING >> 1)
        os.pwrite(handle, number.to_bytes(8, "little"), 0)
        _lock(handle, _SET, fcntl.F_WRLCK, number, 1)
        _lock(handle, _SET, fcntl.F_UNLCK, _DRAWING, 1)
    except OSError:
        os.close(handle)
        return None
    return handle, number


def _is_first(handle: int, number: int) -> bool:
    try:
        _lock(handle, _SET, fcntl.F_RDLCK, 0, number)
    except OSError:
        return False
    _lock(handle, _SET, fcntl.F_UNLCK, 0, number)
    return True


def _wait(handle: int, number: int) -> None:
    """Sleep until nobody with a lower number is left; closes ``handle``."""
    try:
        _lock(handle, _WAIT, fcntl.F_RDLCK, 0, number)
        _lock(handle, _SET, fcntl.F_UNLCK, 0, number)
    finally:
        os.close(handle)


def _lock(handle: int, command: int, kind: int, start: int, length: int) -> None:
    fcntl.fcntl(handle, command, struct.pack("hhqqi4x", kind, os.SEEK_SET, start, length, 0))
