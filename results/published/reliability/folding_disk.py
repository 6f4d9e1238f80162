"""A disk that takes names for one that differ by case or Unicode form, as those of macOS and Windows do. Needs fusepy.

    python results/published/reliability/folding_disk.py FOLDER MOUNTED     # until it is unmounted: fusermount -u MOUNTED

What is in FOLDER appears in MOUNTED. A name finds the entry that equals it after NFC and case folding, and a new entry
keeps the spelling of whoever made it. Linux.
"""

import os
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from fuse import FUSE, FuseOSError, Operations  # type: ignore[import-not-found]


def folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


class FoldingDisk(Operations):  # type: ignore[misc]
    """Passes all on to a folder, after looking up what the name stands for."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, operation: str, *args: object) -> object:
        try:
            return getattr(self, operation)(*args)
        except OSError as error:
            raise FuseOSError(error.errno or 5) from None

    def place(self, path: str) -> Path:
        found = self.root
        for name in filter(None, path.split("/")):
            entries = list(found.iterdir()) if found.is_dir() else []
            found = next((one for one in entries if folded(one.name) == folded(name)), found / name)
        return found

    def getattr(self, path: str, _handle: object = None) -> dict[str, object]:
        facts = self.place(path).lstat()
        return {name: getattr(facts, name) for name in dir(facts) if name.startswith("st_")}

    def readdir(self, path: str, _handle: object) -> Iterator[str]:
        yield from (".", "..", *(one.name for one in self.place(path).iterdir()))

    def create(self, path: str, mode: int, _info: object = None) -> int:
        return os.open(self.place(path), os.O_RDWR | os.O_CREAT, mode)

    def open(self, path: str, flags: int) -> int:
        return os.open(self.place(path), flags)

    def read(self, _path: str, size: int, offset: int, handle: int) -> bytes:
        return os.pread(handle, size, offset)

    def write(self, _path: str, data: bytes, offset: int, handle: int) -> int:
        return os.pwrite(handle, data, offset)

    def truncate(self, path: str, length: int, _handle: object = None) -> None:
        os.truncate(self.place(path), length)

    def release(self, _path: str, handle: int) -> None:
        os.close(handle)

    def fsync(self, _path: str, _data: int, handle: int) -> None:
        os.fsync(handle)

    def rename(self, old: str, new: str) -> None:
        self.place(old).rename(self.place(new))

    def link(self, target: str, source: str) -> None:
        self.place(target).hardlink_to(self.place(source))

    def symlink(self, target: str, source: str) -> None:
        self.place(target).symlink_to(source)

    def readlink(self, path: str) -> str:
        return str(self.place(path).readlink())

    def unlink(self, path: str) -> None:
        self.place(path).unlink()

    def mkdir(self, path: str, mode: int) -> None:
        self.place(path).mkdir(mode)

    def rmdir(self, path: str) -> None:
        self.place(path).rmdir()

    def chmod(self, path: str, mode: int) -> None:
        self.place(path).chmod(mode)

    def utimens(self, path: str, times: tuple[float, float] | None = None) -> None:
        os.utime(self.place(path), times)


if __name__ == "__main__":
    disk = FoldingDisk(Path(sys.argv[1]).resolve())
    FUSE(disk, sys.argv[2], foreground=True, nothreads=True, use_ino=True, entry_timeout=0)
