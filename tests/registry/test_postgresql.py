"""The same promises on PostgreSQL, where WATERMARK_POSTGRESQL_URL names a database that may be emptied."""

import multiprocessing
import os
import time

import pytest
from registry_fakes import Clock, differences, make_record, make_slot, set_back
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


@pytest.mark.parametrize("version", [1, 2])
def test_an_earlier_registry_on_postgresql_is_brought_up_to_date(empty, version):
    registry = Registry(URL, b"registry key")
    registry.add_slot(make_slot())
    registry.record([make_record(registry.allocate(7))])
    with registry._engine.begin() as connection:
        set_back(connection, version)
    again = Registry(URL, b"registry key")
    assert again.verify().ok
    assert again.verify().count == 2
    assert differences(again._engine) == []
    registry.close()
    again.close()


def issue_for_ever(path, stop):
    """Issue, and write down what was acknowledged, until told to stop."""
    registry = Registry(URL, b"registry key")
    with path.open("a") as said:
        while not stop.is_set():
            number = registry.allocate(7)
            registry.record([make_record(number)])
            said.write(f"{number}\n")
            said.flush()


def acknowledged(folder):
    return [int(line) for path in folder.iterdir() for line in path.read_text().splitlines()]


def cut_every_connection():
    """What a server does that is restarted, or gives way to another."""
    query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = current_user"
    with create_engine(URL).begin() as connection:
        others = text(f"{query} AND pid <> pg_backend_pid() AND datname = current_database()")
        return connection.execute(others).scalar_one()


def test_sixteen_processes_killed_and_cut_off_lose_nothing_and_repeat_nothing(empty, tmp_path):
    Registry(URL, b"registry key").add_slot(make_slot())
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["watermark.registry", "registry_fakes"])
    stop = context.Event()
    workers = [context.Process(target=issue_for_ever, args=(tmp_path / str(number), stop)) for number in range(16)]
    for worker in workers:
        worker.start()
    killed, cut = workers[:4], 0
    for round_, victim in enumerate(killed):
        deadline = time.monotonic() + 120
        while len(acknowledged(tmp_path)) < 20 * (round_ + 1) and time.monotonic() < deadline:
            time.sleep(0.05)
        victim.kill()
        cut += cut_every_connection()
    before = len(acknowledged(tmp_path))
    while len(acknowledged(tmp_path)) < before + 30:
        assert any(worker.is_alive() for worker in workers[4:])
        time.sleep(0.05)
    stop.set()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers[4:]] == [0] * 12
    assert cut >= 12
    said = acknowledged(tmp_path)
    assert len(said) == len(set(said)) > 100
    registry = Registry(URL, b"registry key")
    result = registry.verify(full=True)
    assert result.ok
    with registry._engine.connect() as connection:
        rows = connection.execute(text("SELECT content_id FROM records WHERE kind = 'issue'")).scalars().all()
    stored = [int(number) for number in rows]
    assert len(stored) == len(set(stored)) == result.count - 1
    assert set(said) <= set(stored)
    assert len(stored) - len(said) <= 4  # recorded, and killed before it could be said
