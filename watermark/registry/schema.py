"""The tables' version: make them in an empty database, bring those of an earlier version up to date.

An empty database gets today's tables (``tables.py``) at once; an older one the steps in ``migrations/versions``, by
alembic. A test holds the two equal. To change the tables, change ``tables.py``, add a step, and raise ``VERSION``.
"""

import logging

from sqlalchemy import Connection, insert, inspect, select, text

from watermark.errors import UserError
from watermark.registry import ledger
from watermark.registry.tables import counters, head, metadata, records, schema_version

log = logging.getLogger(__name__)
VERSION = 3
_LOCK = 0x726F62757374776D  # "robustwm": names the lock under which one process makes the tables on PostgreSQL


def stored_version(connection: Connection) -> int:
    """0 without a registry, 1 for one from before versions were written down.

    Raises:
        UserError: a later version of this program made it.
    """
    names = inspect(connection).get_table_names()
    if head.name not in names:
        return 0
    if records.name not in names or counters.name not in names:  # a view may say anything, and take for ever
        raise UserError("no registry: one of its tables is missing or is no table")
    stored: object = 1
    if schema_version.name in names:
        stored = connection.execute(select(schema_version.c.version_num).limit(1)).scalar()
    elif "registry_schema" in names:  # where version 2 kept it
        stored = connection.execute(text("SELECT version FROM registry_schema LIMIT 1")).scalar()
    if not str(stored).isdecimal() or len(str(stored)) > 9:
        raise UserError("no registry: its version is no number")
    version = int(str(stored))
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
        connection.execute(insert(schema_version).values(version_num=str(VERSION)))
    elif version < VERSION:
        log.info("bringing the registry's tables from version %d to %d", version, VERSION)
        _migrate(connection, version)


def _migrate(connection: Connection, version: int) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "watermark.registry:migrations")
    config.attributes["connection"] = connection
    if not inspect(connection).has_table(schema_version.name):
        command.stamp(config, str(version))
    command.upgrade(config, "head")
