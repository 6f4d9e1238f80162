"""A registry's database: opened, brought up to date, read and appended to; what it means is ``registry``'s."""

import hashlib
import hmac
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from watermark.errors import UserError
from watermark.keys import key_bytes
from watermark.registry import ledger, schema
from watermark.registry.database import T, no_registry, open_engine, reconnecting, shown, transaction
from watermark.registry.ledger import Entry
from watermark.registry.records import utc_now
from watermark.registry.tables import head
from watermark.registry.tables import manifests as kept_manifests


class OpenDatabase:
    """The database of a ``Registry``, which has its arguments and errors."""

    def __init__(
        self,
        location: str | Path,
        key: bytes | None = None,
        clock: Callable[[], datetime] = utc_now,
        *,
        create: bool = True,
    ) -> None:
        self._key, self._clock = key, clock
        self._id = None if key is None else hmac.new(key, b"registry id", hashlib.sha256).hexdigest()[:16]
        if key is not None:
            key_bytes(key)  # refuses an empty one
        create = create and key is not None
        self._engine = open_engine(location, create=create)
        self._version = version = self._stored_version(location)
        if version == 0 and not create:
            raise no_registry(location)
        if version < schema.VERSION and key is not None:
            reconnecting(self._bring_up_to_date)  # done twice, it finds nothing to do
            self._version = self._stored_version(location)

    def _stored_version(self, location: str | Path) -> int:
        """Of the tables, 0 if there are none; refuses a registry without head or of another key."""

        def stored_version_and_id(connection: Connection) -> tuple[int, str | None]:
            version = schema.stored_version(connection)
            return version, connection.execute(select(head.c.registry_id)).scalar_one_or_none() if version else None

        version, stored = self._read(stored_version_and_id)
        if version and stored is None:
            raise UserError(f"the registry at {shown(location)} has lost its head: somebody tampered with it")
        if version and self._id is not None and stored != self._id:
            raise UserError(
                f"the registry at {shown(location)} was made with another key; `watermark key new FILE --rotate OLD`"
                " makes a further one for it"
            )
        return version

    def _bring_up_to_date(self) -> None:
        if self._key is not None and self._id is not None:
            with transaction(self._engine, writes=True) as connection:
                schema.bring_up_to_date(connection, self._key, self._id)

    def close(self) -> None:
        """Give the database connections back."""
        self._engine.dispose()

    def _read(self, ask: Callable[[Connection], T]) -> T:
        """Ask the database, again where the connection was lost."""

        def once() -> T:
            with transaction(self._engine, writes=False) as connection:
                return ask(connection)

        return reconnecting(once)

    @contextmanager
    def _write(self) -> Iterator[tuple[Connection, bytes]]:
        key = self._writable()
        with transaction(self._engine, writes=True) as connection:
            yield connection, key

    def _writable(self) -> bytes:
        if self._key is None:
            raise UserError("this registry was opened without its key: it can be read, not written")
        return self._key

    def _append(self, entries: Sequence[Entry], conflict: str, kept: Sequence[dict[str, Any]] = ()) -> None:
        try:
            with self._write() as (connection, key):
                if entries:
                    ledger.append(connection, key, entries)
                if kept:
                    connection.execute(insert(kept_manifests), kept)
        except UserError as error:
            if isinstance(error.__cause__, IntegrityError):
                raise UserError(f"{conflict}; nothing was recorded") from error
            raise
