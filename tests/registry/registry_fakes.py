from datetime import UTC, datetime, timedelta

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from watermark.registry import IssueRecord, Slot, tables

ADDED = ("slot_definitions", "bodies_by_retention", "bodies_purged")
FAKE_CODE = "0011" + "0" * 18 + "10001"  # 18 zeros name nobody


class Clock:
    def __init__(self, moment=None):
        self.moment = moment or datetime.now(UTC).replace(microsecond=0)

    def __call__(self):
        return self.moment

    def forward(self, **span):
        self.moment += timedelta(**span)


def make_slot(number=7, bits=40):
    return Slot(number, FAKE_CODE, "key-1", "tile_spread", "1", "l64", bits)


def make_record(content_id, slot=7, **changes):
    fields = {
        "version": 1,
        "slot": slot,
        "content_id": content_id,
        "content_producer": FAKE_CODE,
        "produce_id": f"test-{content_id}",
        "label": "1",
        "algorithm": "tile_spread",
        "algorithm_version": "1",
        "key_id": "key-1",
        "released_sha256": "0" * 64,
        "perceptual_hash": "phash64:" + "0" * 16,
        "explicit_label": True,
    }
    return IssueRecord(**{**fields, **changes})


def set_back(connection, version):
    """Take away what later versions added; nothing else ever changed."""
    for name in ("alembic_version", "manifests"):
        connection.execute(text(f"DROP TABLE {name}"))
    if version == 2:
        connection.execute(text("CREATE TABLE registry_schema (id INTEGER PRIMARY KEY, version INTEGER NOT NULL)"))
        connection.execute(text("INSERT INTO registry_schema VALUES (1, 2)"))
    else:
        for statement in [*(f"DROP INDEX {name}" for name in ADDED), "DROP TABLE checkpoint"]:
            connection.execute(text(statement))


def differences(engine):
    """What distinguishes the tables that are there from those of ``tables.py``."""
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), tables.metadata)
        names = {index["name"] for index in inspect(connection).get_indexes("records")}
        return [*found, *(name for name in ADDED if name not in names)]
