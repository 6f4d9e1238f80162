"""The same promises on PostgreSQL, where WATERMARK_POSTGRESQL_URL names a database that may be emptied."""

import multiprocessing
import os

import pytest
from registry_fakes import Clock, make_record, make_slot
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from watermark.errors import UserError
from watermark.registry import Registry, verification
from watermark.registry.database import transaction

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


def open_at_once(start):
    start.wait()
    try:
        return Registry(URL, b"registry key").verify().count
    except UserError as error:
        return str(error)


def test_eight_processes_may_create_the_same_registry_at_once(empty):
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager, spawn.Pool(8) as pool:
        assert pool.map(open_at_once, [manager.Barrier(8)] * 8, chunksize=1) == [0] * 8


def test_an_error_says_the_servers_message_and_nothing_else(empty):
    registry = Registry(URL, b"registry key")
    with (
        pytest.raises(UserError, match=r"^the registry's database refused: division by zero; nothing was changed$"),
        transaction(registry._engine, writes=True) as connection,
    ):
        connection.execute(text("SELECT 1 / 0"))


def test_a_missing_registry_is_not_made_by_reading(empty):
    with pytest.raises(UserError, match="no registry at"):
        Registry(URL)
    with pytest.raises(UserError, match="no registry at"):
        Registry(URL, b"registry key", create=False)
    with create_engine(URL).connect() as connection:
        assert inspect(connection).get_table_names() == []


def test_the_registry_keeps_its_promises_on_postgresql(empty, monkeypatch):
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
    monkeypatch.setattr(verification, "WALKED_ANYWAY", 1)
    for full, spared in ((True, 0), (False, 183), (False, 183)):
        result = registry.verify(full=full)
        assert result.ok
        assert (result.count, result.purged, result.spared) == (183, 1, spared)
