"""Open the registry's database: SQLite in a file by default, any SQLAlchemy URL otherwise."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from watermark.errors import UserError

log = logging.getLogger(__name__)
BUSY_SECONDS = 120  # how long a writer waits for the others before it gives up


def open_engine(location: str | Path) -> Engine:
    """An engine for a file path or a database URL (``postgresql+pg8000://...``).

    SQLite runs in write-ahead mode, flushes every commit to the disk (an ID that was handed out must not come again
    after a power cut) and takes the write lock at the start of a writing transaction.
    """
    try:
        url = make_url(str(location)) if "://" in str(location) else URL.create("sqlite", database=str(location))
        is_sqlite = url.get_backend_name() == "sqlite"
        engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS} if is_sqlite else {})
    except (ArgumentError, ModuleNotFoundError):  # no chained cause: the address may hold a password
        raise UserError(
            "expected a file path or the URL of a database whose driver is installed, such as "
            "postgresql+pg8000://host/name"
        ) from None
    if not is_sqlite:
        return engine
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # BEGIN is ours to say
    for pragma in ("journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def transaction(engine: Engine, *, writes: bool) -> Iterator[Connection]:
    """One transaction, all or nothing.

    Raises:
        UserError: the database refused (disk full, locked too long, no such file, not a registry).
    """
    try:
        with engine.connect().execution_options(writes=writes) as connection, connection.begin():
            yield connection
    except DBAPIError as error:
        reason = str(error.orig).splitlines()[0]
        done = "nothing was changed" if writes else "nothing was read"
        raise UserError(f"the registry's database refused: {reason}; {done}") from error
