"""What is kept of answers and of feedback: one file a day, for its owner only, removed after its days are over.

No picture, no address, no ID and no key is in it. A file that was asked about is named by a keyed hash: who holds the
service's key can look up what was answered about a file in hand, and nobody else can.
"""

import errno
import hashlib
import hmac
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from watermark.errors import UserError
from watermark.shown import reason, shown

KINDS = ("answers", "feedback")


class Journal:
    """Appends lines of JSON to ``answers-DAY.jsonl`` and ``feedback-DAY.jsonl``.

    Args:
        folder: made if it is missing.
        days: for which a file is kept.
        secret: keys the hash of a file.
        clock: the present moment; tests set it.

    Raises:
        UserError: the folder cannot be made.
    """

    def __init__(
        self, folder: Path, days: int, secret: bytes, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._folder, self._days, self._clock = folder, days, clock
        self._secret = hmac.new(secret, b"robust-watermark journal", hashlib.sha256).digest()
        self._swept = ""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{shown(folder)}: no journal can be kept here ({reason(error)})") from None
        self._sweep()

    def picture(self, content: bytes) -> str:
        """The keyed hash that stands for a file."""
        return hmac.new(self._secret, hashlib.sha256(content).digest(), hashlib.sha256).hexdigest()

    def write(self, kind: str, fields: dict[str, Any]) -> None:
        """Append one line, with the time; ``kind`` is one of ``KINDS``.

        Raises:
            OSError: it cannot be kept, for the disk is full or gone.
        """
        self._sweep()
        now = self._clock()
        line = json.dumps({"time": now.strftime("%Y-%m-%dT%H:%M:%SZ"), **fields}) + "\n"
        handle = os.open(self._folder / f"{kind}-{now:%Y-%m-%d}.jsonl", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":
                line = "\n" + line  # a full disk, or a machine that stopped, left half a line
            data = line.encode()
            if os.write(handle, data) < len(data):  # one call: lines of several writers do not mix
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(handle)

    def _sweep(self) -> None:
        """Remove what is too old, once a day."""
        now = self._clock()
        today, oldest = f"{now:%Y-%m-%d}", f"{now - timedelta(days=self._days):%Y-%m-%d}"
        if today == self._swept:
            return
        self._swept = today
        for kind in KINDS:
            for path in self._folder.glob(f"{kind}-????-??-??.jsonl"):
                if path.stem.removeprefix(f"{kind}-") < oldest:
                    path.unlink(missing_ok=True)
