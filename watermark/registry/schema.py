"""The tables' version: make them in an empty database, bring those of an earlier version up to date."""

import logging

from sqlalchemy import Connection, insert, inspect, select, text

from watermark.errors import UserError
from watermark.registry import ledger
from watermark.registry.tables import ADDED_IN_2, checkpoint, head, metadata, schema_version

log = logging.getLogger(__name__)
VERSION = 2
_LOCK = 0x726F62757374776D  # "robustwm": names the lock under which one process makes the tables on PostgreSQL


def stored_version(connection: Connection) -> int:
    """0 without a registry, 1 for one from before versions were written down.

    Raises:
        UserError: a later version of this program made it.
    """
    names = inspect(connection).get_table_names()
    if head.name not in names:
        return 0
    if schema_version.name not in names:
        return 1
    version = int(connection.execute(select(schema_version.c.version)).scalar_one())
    if version > VERSION:
        raise UserError(f"this registry has version {version}, made by a newer program; this one knows up to {VERSION}")
    return version


def bring_up_to_date(connection: Connection, key: bytes, registry_id: str) -> None:
    """Make what is missing, inside a writing transaction; of processes that come at once, one does it."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    version = stored_version(connection)
    if version == 0:
        metadata.create_all(connection)
        ledger.create_head(connection, key, registry_id)
        connection.execute(insert(schema_version).values(id=1, version=VERSION))
    elif version == 1:
        log.info("bringing the registry's tables from version 1 to 2; with many records this takes a while")
        metadata.create_all(connection, tables=[checkpoint, schema_version])
        for index in ADDED_IN_2:
            index.create(connection, checkfirst=True)
        connection.execute(insert(schema_version).values(id=1, version=VERSION))
