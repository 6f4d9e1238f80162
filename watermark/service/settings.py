"""What a service is told when it starts."""

import os
from dataclasses import dataclass, field
from pathlib import Path

MEBIBYTE = 2**20
LOCAL = {"127.0.0.1", "::1", "localhost"}
"""Names of the machine itself, which no other reaches by them."""


@dataclass(frozen=True)
class Settings:
    """How the service behaves.

    Attributes:
        registry: SQLite file or database URL; it is opened without its key.
        key_files: of the marks that are looked for.
        sync_key_file: of the secret that the providers share, if they do; their keys are then asked in one read.
        public: strangers ask: answers give no measure, and what each may ask is bounded.
        token: what everybody but strangers must show (``Authorization: Bearer``); None asks nobody.
        workers: processes that look at pictures, each with the models in memory.
        queue: uploads that may wait for a worker; one more is refused (429).
        seconds: for one picture, after which its process is ended.
        upload_seconds: for the upload itself, or for fetching an address.
        max_bytes: of one upload.
        rate: requests of one client a minute; 0 for any number.
        near_copies: different files of one look that one client may ask about in an hour; 0 for any number.
        fetch: whether pictures may be given by their address.
        owner: your domain, reversed, for C2PA's names of the marks; None: no soft-binding resolution.
        journal: folder for the audit log and the feedback; None keeps neither.
        journal_days: after which a day's files are removed.
        false_positive_rate: promised for every answer as a whole.
        misattribution_rate: likewise, for the IDs of a marked picture.
        search: how long to look before saying no, ``quick`` or ``thorough``.
    """

    registry: str
    key_files: tuple[Path, ...]
    sync_key_file: Path | None = None
    public: bool = False
    token: str | None = field(default=None, repr=False)
    workers: int = field(default_factory=lambda: cores())
    queue: int = 32
    seconds: float = 20.0
    upload_seconds: float = 30.0
    max_bytes: int = 32 * MEBIBYTE
    rate: int = 0
    near_copies: int = 0
    fetch: bool = True
    owner: str | None = None
    journal: Path | None = None
    journal_days: int = 30
    false_positive_rate: float = 1e-6
    misattribution_rate: float = 1e-4
    search: str = "quick"

    @property
    def places(self) -> int:
        """Uploads that may be in the house at once: being received, waiting, and in work."""
        return self.workers + self.queue

    @property
    def places_of_one(self) -> int:
        """How many of them one stranger may have; 0 for any number, where questions are not counted either."""
        return -(-self.places // 4) if self.rate else 0


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
