"""Key files: made with the system's randomness, readable by their owner only, never shown.

A file holds two secrets. The mark's key decides what is written into pixels; rotating it takes a new provider slot.
The registry's key shuffles content IDs and signs the registry's head; it stays the same for the life of a registry.
"""

import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from watermark.errors import UserError
from watermark.files.reading import read_regular
from watermark.files.whole import Staged

FORMAT = "robust-watermark key 1"
_SECRET_BYTES = 32
_MAX_BYTES = 4096
"""A key file has some 300; more is none."""
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class KeyFile:
    """Two secrets and their public fingerprint; printing one shows the fingerprint only.

    Attributes:
        mark_key: 32 bytes, for ``Watermarker``.
        registry_key: 32 bytes, for ``Registry``.
        created_at: UTC.
    """

    mark_key: bytes = field(repr=False)
    registry_key: bytes = field(repr=False)
    created_at: str

    @classmethod
    def new(cls, rotate: "KeyFile | None" = None) -> "KeyFile":
        """Fresh secrets; with ``rotate``, a fresh mark's key beside the same registry's key."""
        registry_key = rotate.registry_key if rotate else secrets.token_bytes(_SECRET_BYTES)
        now = datetime.now(UTC).strftime(_TIME)
        return cls(secrets.token_bytes(_SECRET_BYTES), registry_key, now)

    @property
    def key_id(self) -> str:
        """16 hexadecimal digits that name the mark's key and tell nothing about it."""
        return hashlib.sha256(b"robust-watermark key id\0" + self.mark_key).hexdigest()[:16]

    def save(self, path: Path) -> None:
        """Write a new file that only its owner may read; it appears whole or not at all.

        Raises:
            UserError: the file exists (a key is never overwritten) or cannot be written.
        """
        content = {
            "format": FORMAT,
            "key_id": self.key_id,
            "created_at": self.created_at,
            "mark_key": self.mark_key.hex(),
            "registry_key": self.registry_key.hex(),
        }
        if path.exists() or path.is_symlink():
            raise UserError(f"{path}: exists already, and a key file is never overwritten")
        with Staged(path, mode=0o600) as staged:
            staged.write((json.dumps(content, indent=2) + "\n").encode())
            staged.release()

    @classmethod
    def load(cls, path: Path) -> "KeyFile":
        """Read a file, if nobody but its owner may.

        Raises:
            UserError: it is missing, readable by others, somebody else's, or no key file; never with its content.
        """
        if not os.path.lexists(path):
            raise UserError(f"{path}: no such file; make a key with: watermark key new {path}")
        loose: list[UserError] = []
        text = read_regular(path, _MAX_BYTES, lambda status: loose.extend(_faults(path, status)))
        try:
            content = _parse(text)
            key = cls(_secret(content["mark_key"]), _secret(content["registry_key"]), content["created_at"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise _no_key(path) from None
        if loose:  # said of a key only: nobody should make a photograph private
            raise loose[0]
        if content.get("key_id") != key.key_id:
            raise UserError(f"{path}: damaged, its key does not fit its key ID")
        return key


def _parse(text: bytes) -> dict[str, Any]:
    """The fields of a key file; the time is one, so that whatever is shown of a key is harmless to a terminal."""
    content = json.loads(text)
    if not isinstance(content, dict) or content["format"] != FORMAT:
        raise ValueError
    if datetime.strptime(content["created_at"], _TIME).strftime(_TIME) != content["created_at"]:
        raise ValueError
    return content


def _secret(field: str) -> bytes:
    secret = bytes.fromhex(field)
    if len(secret) != _SECRET_BYTES:
        raise ValueError
    return secret


def load_key(path: Path) -> bytes:
    """The mark's key of a key file, for ``Watermarker``; see ``KeyFile.load``."""
    return KeyFile.load(path).mark_key


def _no_key(path: Path) -> UserError:
    return UserError(f"{path}: not a key file; `watermark key new FILE` makes one")


def _faults(path: Path, status: os.stat_result) -> Iterator[UserError]:
    """Who else may read an open file, in the words of an error; at once for one that is too large for a key."""
    if status.st_size > _MAX_BYTES:
        raise _no_key(path)
    if os.name != "posix":  # elsewhere the permission bits say nothing about who may read
        return
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        yield UserError(f"{path}: others may read this key (mode {mode:03o}); run: chmod 600 {path}")
    if status.st_uid not in (os.geteuid(), 0):
        yield UserError(f"{path}: belongs to another user; a key file must be your own")
