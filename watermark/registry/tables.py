"""The tables of a registry, and the SQL triggers that keep its records append-only whoever writes to the database."""

from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    event,
    literal_column,
)

CHUNK = 500
"""Values that one statement names: databases limit how many it may."""

metadata = MetaData()

records = Table(
    "records",
    metadata,
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),  # slot, issue, propagation, withdrawal, block, purge
    Column("slot", BigInteger),
    Column("content_id", String(39)),  # decimal text: a field may be wider than the 64 bits of an SQL integer
    Column("created_at", String(20), nullable=False),  # UTC, 2026-11-21T21:18:46Z, so text order is time order
    Column("retain_until", String(20)),  # null: for ever
    Column("body", Text),  # canonical JSON; null once purged
    Column("body_sha256", String(64), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
Index("records_by_content", records.c.slot, records.c.content_id, records.c.kind)
Index(
    "one_issue_per_content",
    records.c.slot,
    records.c.content_id,
    unique=True,
    sqlite_where=records.c.kind == "issue",
    postgresql_where=records.c.kind == "issue",
)
Index(
    "one_definition_per_slot",
    records.c.slot,
    unique=True,
    sqlite_where=records.c.kind == "slot",
    postgresql_where=records.c.kind == "slot",
)


def _some(name: str, column: Column[Any], condition: ColumnElement[bool]) -> None:
    """An index of some of the records. A query has to repeat the condition as it stands here, or it is not used."""
    Index(name, column, sqlite_where=condition, postgresql_where=condition)


IS_SLOT = records.c.kind == literal_column("'slot'")  # a bound parameter would hide the index below from SQLite
_some("slot_definitions", records.c.sequence, IS_SLOT)
_some("bodies_by_retention", records.c.retain_until, records.c.body.is_not(None))
_some("bodies_purged", records.c.sequence, records.c.body.is_(None))

head = Table(
    "head",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
    Column("registry_id", String(16), nullable=False),
    Column("record_count", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("tag", String(64), nullable=False),  # HMAC over the rest, so cutting the tail needs the key
)

counters = Table(
    "counters",
    metadata,
    Column("slot", BigInteger, primary_key=True, autoincrement=False),
    Column("next_index", BigInteger, nullable=False),
)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("purged", BigInteger, nullable=False),
    Column("used", Text, nullable=False),  # JSON: slot -> [highest counter value issued, its record]
    Column("tag", String(64), nullable=False),  # HMAC over the rest
)

manifests = Table(
    "manifests",
    metadata,
    Column("manifest_id", String(255), primary_key=True),
    Column("slot", BigInteger, nullable=False),
    Column("content_id", String(39), nullable=False),
    Column("content", LargeBinary, nullable=False),  # a C2PA manifest store, signed by itself
)

schema_version = Table("alembic_version", metadata, Column("version_num", String(32), primary_key=True))

_KEPT = ("sequence", "kind", "slot", "content_id", "created_at", "retain_until", "body_sha256", "previous", "hash")
_SAME = " AND ".join(f"NEW.{name} IS NOT DISTINCT FROM OLD.{name}" for name in _KEPT)
_SQLITE = (
    "CREATE TRIGGER records_never_deleted BEFORE DELETE ON records "
    "BEGIN SELECT RAISE(ABORT, 'records are append-only'); END",
    "CREATE TRIGGER records_never_changed BEFORE UPDATE ON records "
    f"WHEN NOT ({_SAME.replace('IS NOT DISTINCT FROM', 'IS')} AND NEW.body IS NULL AND OLD.retain_until IS NOT NULL "
    "AND OLD.retain_until <= strftime('%Y-%m-%dT%H:%M:%SZ', 'now')) "
    "BEGIN SELECT RAISE(ABORT, 'records are append-only; a body may only be emptied after retain_until'); END",
    "CREATE TRIGGER records_follow_the_last BEFORE INSERT ON records "
    "WHEN NEW.sequence IS NOT (SELECT COALESCE(MAX(sequence), 0) + 1 FROM records) "
    "BEGIN SELECT RAISE(ABORT, 'a record must follow the last one'); END",
)
_POSTGRESQL = (
    "CREATE FUNCTION refuse_record_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "IF TG_OP = 'UPDATE' THEN "
    f"IF {_SAME} AND NEW.body IS NULL AND OLD.retain_until IS NOT NULL AND OLD.retain_until <= "
    "to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') THEN RETURN NEW; END IF; END IF; "
    "RAISE EXCEPTION 'records are append-only; a body may only be emptied after retain_until'; END $$",
    "CREATE TRIGGER records_never_changed BEFORE UPDATE OR DELETE ON records "
    "FOR EACH ROW EXECUTE FUNCTION refuse_record_change()",
    "CREATE FUNCTION refuse_record_gap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "IF NEW.sequence = (SELECT COALESCE(MAX(sequence), 0) + 1 FROM records) THEN RETURN NEW; END IF; "
    "RAISE EXCEPTION 'a record must follow the last one'; END $$",
    "CREATE TRIGGER records_follow_the_last BEFORE INSERT ON records FOR EACH ROW EXECUTE FUNCTION refuse_record_gap()",
)
for _dialect, _statements in (("sqlite", _SQLITE), ("postgresql", _POSTGRESQL)):
    for _statement in _statements:
        event.listen(records, "after_create", DDL(_statement.replace("%", "%%")).execute_if(dialect=_dialect))
