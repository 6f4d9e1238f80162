"""Open the registry's database: SQLite in a file by default, any SQLAlchemy URL otherwise."""

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError

from watermark.errors import UserError
from watermark.registry.turns import turn

log = logging.getLogger(__name__)
T = TypeVar("T")
EXPECTED = "expected a file path or the URL of a database, such as postgresql+pg8000://host/name"
RECONNECT_SECONDS = 15.0  # how long a server may be away: a restart, or another one that takes over
BUSY_SECONDS = 120  # how long a writer waits for the others before it gives up


def open_engine(location: str | Path, *, create: bool) -> Engine:
    """An engine for a file path or a database URL (``postgresql+pg8000://...``).

    SQLite runs in write-ahead mode, flushes every commit to the disk (an ID that was handed out must not come again
    after a power cut) and takes the write lock at the start of a writing transaction. A file that it makes can be read
    by its owner only.

    Args:
        location: where.
        create: make the SQLite file if there is none.

    Raises:
        UserError: the location is none, or there is no such file.
    """
    try:
        url = make_url(str(location)) if "://" in str(location) else URL.create("sqlite", database=str(location))
        is_sqlite = url.get_backend_name() == "sqlite"
        if is_sqlite:
            engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
        else:
            engine = create_engine(url, pool_pre_ping=True)  # a server that was restarted is not seen
    except ModuleNotFoundError as missing:  # no chained cause, here and below: the address may hold a password
        if missing.name == "pg8000":
            said = "a registry on PostgreSQL needs the package pg8000: pip install 'robust-watermark[postgresql]'"
        else:
            said = f"{EXPECTED}, got one for the driver {missing.name}"
        raise UserError(said) from None
    except ArgumentError:
        raise UserError(EXPECTED) from None
    if not is_sqlite:
        return engine
    file = _sqlite_file(engine)
    if file and (link := next((one for one in map(file.with_name, _beside(file)) if one.is_symlink()), None)):
        raise UserError(f"{link}: expected a file of the registry, got a symbolic link; SQLite would write through it")
    if file and not (file.is_file() and file.stat().st_size):
        if not create:
            raise no_registry(location)
        with turn(_queue_of(file), BUSY_SECONDS):
            _make(file)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


class RefusedError(UserError):
    """The database did not do what it was asked; nothing is wrong with the question."""


class LostConnectionError(RefusedError):
    """The server went away. A transaction that was not committed left nothing; of one just then, nobody here knows."""


def reconnecting(action: Callable[[], T]) -> T:
    """Do it, and again where the connection was lost meanwhile; for what may be done twice.

    Raises:
        UserError: the server did not come back within ``RECONNECT_SECONDS``, or what ``action`` raises.
    """
    pause, waited = 0.05, 0.0  # only the waiting counts: a busy server takes its time, and is there
    while True:
        try:
            return action()
        except LostConnectionError:
            if waited + pause > RECONNECT_SECONDS:
                raise
            if not waited:
                log.warning("the registry's database cannot be reached; trying for %.0f seconds", RECONNECT_SECONDS)
            time.sleep(pause)
            waited += pause
            pause = min(2.0, 2 * pause)


def no_registry(location: str | Path) -> UserError:
    """The error that says so."""
    return UserError(f"no registry at {shown(location)}; `watermark registry add-slot` makes one")


def shown(location: str | Path) -> str:
    """A location for an error text: a database URL may hold a password."""
    return str(location).split("@")[-1].split("?")[0]


@contextmanager
def transaction(engine: Engine, *, writes: bool) -> Iterator[Connection]:
    """One transaction, all or nothing.

    Raises:
        UserError: the database refused (disk full, locked too long, no such file, not a registry).
    """
    file = _sqlite_file(engine) if writes else None
    queue = turn(_queue_of(file), BUSY_SECONDS) if file else nullcontext()
    try:
        with queue, engine.connect().execution_options(writes=writes) as connection, connection.begin():
            yield connection
    except DBAPIError as error:
        if error.connection_invalidated or (engine.dialect.name != "sqlite" and _is_gone(error)):
            engine.dispose()  # its other connections fared no better
            raise LostConnectionError("the registry's database cannot be reached") from error
        done, reason = "nothing was changed" if writes else "nothing was read", _reason(error)
        if reason == "file is not a database":
            raise RefusedError(
                f"{shown(engine.url.database or '')}: expected a registry, got a file that is not a database"
            ) from error
        raise RefusedError(f"the registry's database refused: {reason}; {done}") from error
    except ConnectionError as error:  # pg8000 lets some of the socket's own through; SQLAlchemy then keeps the socket
        engine.dispose()
        raise LostConnectionError("the registry's database cannot be reached") from error


def _is_gone(error: DBAPIError) -> bool:
    """Whether the server went away, or says by SQLSTATE that it is shutting down, starting, or lost the connection."""
    said = error.orig.args[0] if error.orig is not None and error.orig.args else None
    code = str(said.get("C", "")) if isinstance(said, dict) else ""
    return isinstance(error, InterfaceError) or code.startswith(("08", "57P"))


def _reason(error: DBAPIError) -> str:
    """The server's message alone, on one line: pg8000 hands over all fields of PostgreSQL's answer."""
    said = error.orig.args[0] if error.orig is not None and error.orig.args else error.orig
    lines = str(said.get("M", "no reason given") if isinstance(said, dict) else said).splitlines()
    return "".join(letter for letter in (lines or ["no reason given"])[0] if letter.isprintable())


def _sqlite_file(engine: Engine) -> Path | None:
    name = engine.url.database
    is_file = engine.dialect.name == "sqlite" and name and name != ":memory:" and not name.startswith("file:")
    return Path(name) if is_file and name else None


def _beside(file: Path) -> list[str]:
    """Names of what SQLite and the queue keep beside the file: a stranger may have made links of them."""
    return [f"{file.name}{suffix}" for suffix in ("-wal", "-shm", "-journal", "-queue")]


def _queue_of(file: Path) -> Path:
    return file.with_name(f"{file.name}-queue")


def _make(file: Path) -> None:
    """An empty database that only its owner may read; SQLite gives the files beside it the same permissions."""
    try:
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        with closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
    except OSError as error:
        raise UserError(f"{file}: no registry can be made here ({error.strerror})") from None
    except sqlite3.Error as error:
        raise UserError(f"{file}: no registry can be made here ({error})") from None


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # BEGIN is ours to say
    connection.execute("PRAGMA synchronous = FULL").fetchall()
    connection.execute("PRAGMA trusted_schema = OFF").fetchall()  # the file may be a stranger's


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
