"""Files that appear whole or not at all, and what killed runs left behind.

A file is written under a hidden name beside its target, locked by the process that writes it, and renamed when it is
complete. A later run removes hidden files that nobody holds a lock on: their writers are dead.
"""

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from watermark.errors import UserError
from watermark.shown import reason, shown

try:
    import fcntl
except ImportError:  # no locks on Windows: nothing is swept there
    fcntl = None  # type: ignore[assignment]

PREFIX, SUFFIX = ".watermark-", ".partial"
YOUNG = 2.0
"""Seconds during which an empty hidden file without a lock may still be about to be locked."""
_swept: set[Path] = set()
_NO_DISK = {errno.ENOSPC, errno.EROFS, errno.EDQUOT}


class DiskError(UserError):
    """A disk that is full, over its quota or read-only: the next file will fare no better."""


class Staged:
    """A file on its way: opened at once, so that a target that cannot be written is told before any work is done.

    Use it as a context manager: ``write`` the content, then ``release`` it under its name. Without ``release`` nothing
    stays.

    Args:
        path: the target; missing folders are made.
        overwrite: replace an existing file, whose mode is kept.
        mode: of a new file; what the umask takes off is taken off.

    Attributes:
        temporary: the hidden file, for those who write by path.

    Raises:
        UserError: the target exists, is a symbolic link or a folder, or cannot be written.
    """

    def __init__(self, path: Path, *, overwrite: bool = False, mode: int = 0o666) -> None:
        check_free(path, overwrite)
        self.path, self.overwrite = path, overwrite
        self.temporary = path.parent / f"{PREFIX}{secrets.token_hex(8)}{SUFFIX}"
        with told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _sweep_once(path.parent)
            flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0)
            self._handle: int | None = os.open(self.temporary, flags, mode)  # the umask is the kernel's business
        try:
            if fcntl is not None:
                with contextlib.suppress(OSError):  # a file system without locks: nothing is swept there
                    fcntl.flock(self._handle, fcntl.LOCK_EX)
            if path.exists() and hasattr(os, "fchmod"):
                os.fchmod(self._handle, path.stat().st_mode & 0o777)
        except BaseException as error:
            self._discard()
            if isinstance(error, OSError):
                raise UserError(f"{shown(path)}: cannot be written ({reason(error)})") from None
            raise

    def reserve(self, size: int) -> None:
        """Take the room on the disk, so that a full one is told now and not while the content is written."""
        assert self._handle is not None
        if size and hasattr(os, "posix_fallocate"):
            with told(self.path):
                try:
                    os.posix_fallocate(self._handle, 0, size)
                except OSError as error:
                    if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):  # file systems that cannot
                        raise

    def write(self, content: bytes | memoryview) -> None:
        """Put the content on the disk, still under the hidden name."""
        assert self._handle is not None
        with told(self.path):
            view = memoryview(content)
            while len(view):
                view = view[os.write(self._handle, view) :]
            os.fsync(self._handle)

    def release(self) -> None:
        """Give the file its name.

        Raises:
            UserError: meanwhile somebody else made a file of that name, or renaming failed.
        """
        with told(self.path):
            if self.overwrite or not _link(self.temporary, self.path):
                check_free(self.path, self.overwrite)
                self.temporary.replace(self.path)
        self._discard()

    def _discard(self) -> None:
        if self._handle is not None:
            self.temporary.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self._discard()


def write_whole(path: Path, content: bytes | str, *, overwrite: bool = False) -> None:
    """Write a file so that it appears whole or not at all; see ``Staged``."""
    with Staged(path, overwrite=overwrite) as staged:
        staged.write(content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content)
        staged.release()


def check_free(path: Path, overwrite: bool) -> None:
    """Refuse a target that exists and may not be replaced, and one that is a link or a folder.

    Raises:
        UserError: in one line.
    """
    with told(path):
        if path.is_symlink():
            raise UserError(f"{shown(path)}: is a symbolic link; name the file that it points to")
        if path.is_dir():
            raise UserError(f"{shown(path)}: cannot be written (it is a folder)")
        if path.exists() and not overwrite:
            raise _taken(path)


def _taken(path: Path) -> UserError:
    return UserError(f"{shown(path)}: exists already; say --overwrite (in Python overwrite=True) to replace it")


def sweep(folder: Path) -> list[Path]:
    """Remove the hidden files of dead writers in a folder, and say which; those of the living are locked, and stay."""
    removed: list[Path] = []
    if fcntl is None:
        return removed
    for path in folder.glob(f"{PREFIX}*{SUFFIX}"):
        with contextlib.suppress(OSError):
            handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                found = os.fstat(handle)
                if found.st_size or time.time() - found.st_mtime >= YOUNG:
                    path.unlink()
                    removed.append(path)
            finally:
                os.close(handle)
    return removed


def _sweep_once(folder: Path) -> None:
    """A folder of a million pictures is looked through once a run, not once a picture."""
    where = folder.resolve()
    if where not in _swept:
        _swept.add(where)
        sweep(folder)


def _link(temporary: Path, target: Path) -> bool:
    """Give the file its name only if the name is free, in one step; False where the file system has no hard links."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise _taken(target) from None
    except OSError:
        return False
    return True


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what the system says into one line that names the target, never the hidden file."""
    try:
        yield
    except (OSError, ValueError) as error:
        kind = DiskError if isinstance(error, OSError) and error.errno in _NO_DISK else UserError
        raise kind(f"{shown(path)}: cannot be written ({reason(error)})") from None
