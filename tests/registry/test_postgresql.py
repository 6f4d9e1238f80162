"""The same promises on PostgreSQL, where WATERMARK_POSTGRESQL_URL names a database that may be emptied."""

import multiprocessing
import os

import pytest
from registry_fakes import Clock, make_record, make_slot
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from watermark.errors import UserError
from watermark.registry import Registry

URL = os.environ.get("WATERMARK_POSTGRESQL_URL", "")
pytestmark = pytest.mark.skipif(not URL, reason="WATERMARK_POSTGRESQL_URL names no empty PostgreSQL database")


@pytest.fixture
def empty():
    with create_engine(URL).begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))


def allocate(count):
    registry = Registry(URL, b"registry key")
    ids = [registry.allocate(7) for _ in range(count)]
    registry.record([make_record(number) for number in ids])
    return ids


def test_the_registry_keeps_its_promises_on_postgresql(empty):
    clock = Clock()
    clock.forward(days=-400)
    registry = Registry(URL, b"registry key", clock)
    registry.add_slot(make_slot())
    old = registry.allocate(7)
    registry.record([make_record(old)])
    clock.forward(days=400)
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        ids = [number for part in pool.map(allocate, [60] * 3) for number in part]
    assert len({*ids, old}) == 181
    with pytest.raises(UserError, match="already recorded"):
        registry.record([make_record(ids[0])])
    for statement in ("DELETE FROM records", "UPDATE records SET hash = 'x'", "UPDATE records SET body = NULL"):
        with pytest.raises(DBAPIError, match="append-only"), create_engine(URL).begin() as connection:
            connection.execute(text(statement))
    assert registry.purge() == 1
    result = registry.verify()
    assert result.ok
    assert (result.count, result.purged) == (183, 1)
