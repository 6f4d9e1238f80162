"""Folders on a disk or in an object store behind one door; what is written appears whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from os.path import realpath
from pathlib import Path
from posixpath import normpath
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from watermark.errors import UserError
from watermark.files import Staged
from watermark.files.limits import max_file_bytes
from watermark.shown import reason, shown

SCHEMES = ("s3", "gs")
COPY_BYTES = 2**23
MANY_BYTES = 2**62
"""No limit, for what we wrote ourselves."""
ANONYMOUS = "anonymous"
"""Who asks Google's store without credentials, as Arrow writes it: ``gs://anonymous@bucket``."""
RETRY_SECONDS = 60
"""For which Google's client asks again where the address does not say. Its own default is silent for 15 minutes."""


@dataclass(frozen=True)
class Place:
    """Where a file or folder is.

    Attributes:
        scheme: ``s3`` or ``gs``; empty for a path of this machine.
        path: bucket and key, or an absolute path.
        options: of the file system, as in ``?region=eu-west-1``, with the question mark; may be empty.
        user: ``anonymous`` or empty.
    """

    scheme: str
    path: str
    options: str = ""
    user: str = ""

    @classmethod
    def of(cls, text: str, beside: "Place | None" = None) -> "Place":
        """From what a person wrote.

        Args:
            text: a path, or ``s3://bucket/key?options``.
            beside: where a relative path starts; None: the current folder.

        Raises:
            UserError: another scheme, or credentials in it.
        """
        scheme, found, rest = text.partition("://")
        if not found:
            if beside is None:
                return cls("", str(Path(text).absolute()))
            inside = text if beside.scheme else str(Path(beside.path) / text)
            return cls("", inside) if not beside.scheme else beside / text
        if scheme == "file":
            return cls("", rest)
        if scheme not in SCHEMES:
            raise UserError(f"{shown(text)}: expected a path, s3:// or gs://")
        user, at, _ = urlsplit(text).netloc.rpartition("@")
        if at and (scheme, user) != ("gs", ANONYMOUS):
            raise UserError(f"{scheme}://: expected no credentials in the address; they belong into the environment")
        path, mark, options = rest.removeprefix(user + at).partition("?")
        return cls(scheme, path.rstrip("/"), mark + options, user)

    def __truediv__(self, name: str) -> "Place":
        """A file or folder below."""
        return replace(self, path=f"{self.path.rstrip('/')}/{name}")

    def __str__(self) -> str:
        if not self.scheme:
            return self.path
        return f"{self.scheme}://{self.user}{'@' * bool(self.user)}{self.path}{self.options}"

    def is_below(self, folder: "Place") -> bool:
        """Whether it lies in this folder or deeper, links followed; with other options it is another server's."""
        if (self.scheme, self.options, self.user) != (folder.scheme, folder.options, folder.user):
            return False
        here = normpath(self.path) if self.scheme else realpath(self.path)
        return here.startswith(f"{_true_path(folder).rstrip('/')}/")

    @property
    def parent(self) -> "Place":
        """The folder that holds it."""
        return replace(self, path=self.path.rpartition("/")[0])


@lru_cache(16)
def _true_path(folder: Place) -> str:
    return normpath(folder.path) if folder.scheme else realpath(folder.path)


@dataclass(frozen=True)
class Listed:
    """A file of a folder: its name below the folder, and its size in bytes."""

    name: str
    size: int


def files_below(place: Place, *, recursive: bool = True) -> list[Listed]:
    """The files of a folder in the order of their names; empty where there is no such folder."""
    from pyarrow.fs import FileSelector, FileType

    with told(place):
        selector = FileSelector(place.path, recursive=recursive, allow_not_found=True)
        found = _file_system(place).get_file_info(selector)
        start = len(place.path.rstrip("/")) + 1
        try:
            files = [Listed(one.path[start:], one.size) for one in found if one.type == FileType.File]
        except UnicodeDecodeError:
            raise UserError(f"{shown(place)}: {_misnamed(Path(place.path))}") from None
        return sorted(files, key=lambda one: one.name)


def _misnamed(folder: Path) -> str:
    """The first file whose name is no text, which tables and Arrow cannot hold."""
    for path in sorted(folder.rglob("*")):
        if not path.name.isascii() and path.name.encode("utf-8", "ignore") != os.fsencode(path.name):
            return f"expected names in UTF-8, got {shown(path.relative_to(folder))}; rename it"
    return "expected names in UTF-8"


def kind(place: Place) -> str:
    """``file``, ``folder`` or ``nothing``."""
    from pyarrow.fs import FileType

    with told(place):
        found = _file_system(place).get_file_info(place.path).type
        return {FileType.File: "file", FileType.Directory: "folder"}.get(found, "nothing")


def opened(place: Place) -> Any:
    """A file that can be read from anywhere in it (``pyarrow.NativeFile``); what would be waited for is refused."""
    with told(place):
        if not place.scheme and Path(place.path).exists() and not Path(place.path).is_file():
            raise UserError(f"{shown(place)}: cannot be read (not a regular file)")
        return _file_system(place).open_input_file(place.path)


def read(place: Place, offset: int | None = None, size: int | None = None, *, at_most: int | None = None) -> bytes:
    """A file's content, or ``size`` bytes of it from ``offset``.

    Args:
        place: the file.
        offset: where to start; None: all of it.
        size: of the part.
        at_most: refuse more bytes than this; None: than a picture may have.

    Raises:
        UserError: in one line.
    """
    limit = max_file_bytes() if at_most is None else at_most
    with told(place), opened(place) as file:
        wanted = file.size() if offset is None or size is None else size
        if wanted > limit:
            raise UserError(f"{shown(place)}: cannot be read (larger than {limit >> 20} MiB)")
        return bytes(file.read_at(wanted, offset or 0))


@contextmanager
def staged(place: Place) -> Iterator[BinaryIO]:
    """A file to write to, which gets its name, or becomes an object, once the block is left without an error."""
    if not place.scheme:
        with Staged(Path(place.path), overwrite=True) as hidden:
            with told(place), hidden.temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            hidden.release()
        return
    with tempfile.TemporaryFile() as file:
        yield file
        file.seek(0)
        with told(place), _file_system(place).open_output_stream(place.path) as stream:
            shutil.copyfileobj(file, stream, COPY_BYTES)


def write(place: Place, content: bytes) -> None:
    """Write a file whole, in the place of one that is there."""
    with staged(place) as file:
        file.write(content)


@contextmanager
def told(place: Place) -> Iterator[None]:
    """Whatever a file system has to say as one line about this place."""
    try:
        yield
    except (OSError, ValueError) as error:  # Arrow's errors are of these
        if isinstance(error, FileNotFoundError):
            raise UserError(f"{shown(place)}: no such file") from None
        raise UserError(f"{shown(place)}: cannot be reached ({reason(error)})") from None


def _file_system(place: Place) -> Any:
    return _connected(replace(place, path=place.path.partition("/")[0] if place.scheme else ""))


@cache
def _connected(bucket: Place) -> Any:
    """One connection for each bucket; credentials come from the environment, as its owner's tools find them."""
    from pyarrow.fs import FileSystem, LocalFileSystem

    if not bucket.scheme:
        return LocalFileSystem()
    return FileSystem.from_uri(_address(bucket))[0]


def _address(bucket: Place) -> str:
    """As Arrow is told it."""
    if bucket.scheme == "gs" and "retry_limit_seconds=" not in bucket.options:
        more = f"{bucket.options}&" if bucket.options else "?"
        bucket = replace(bucket, options=f"{more}retry_limit_seconds={RETRY_SECONDS}")
    return str(bucket)
