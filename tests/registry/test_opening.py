"""Making, finding and bringing up to date: what happens when a registry is opened."""

import multiprocessing
import sqlite3
import stat

import pytest
from registry_fakes import differences, make_record, set_back
from sqlalchemy import create_engine, event, text

from watermark.cli import main
from watermark.errors import UserError
from watermark.keystore import KeyFile
from watermark.registry import Registry, database, schema
from watermark.registry.database import LostConnectionError, RefusedError, reconnecting, transaction
from watermark.registry.schema import VERSION, stored_version
from watermark.registry.turns import turn


def plan_of(registry, ask):
    """What SQLite says about each SELECT on the records that ``ask`` makes."""
    seen = []

    def note(connection, cursor, statement, parameters, context, many):
        if "FROM records" in statement and statement.startswith("SELECT"):
            seen.append((statement, parameters))

    event.listen(registry._engine, "before_cursor_execute", note)
    ask()
    event.remove(registry._engine, "before_cursor_execute", note)
    with registry._engine.connect() as connection:
        plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", given).all() for query, given in seen]
    return [row.detail for plan in plans for row in plan]


def test_look_ups_use_an_index_whatever_the_number_of_records(registry):
    registry.record([make_record(number) for number in registry.content_ids(registry.reserve(7, 3))])
    few = "SCAN records USING INDEX slot_definitions"  # the slots and no other records
    assert plan_of(registry, registry.slots) == [few]
    for ask in (lambda: registry.slot(7), lambda: registry.find(7, 5), registry.purge):
        plans = [plan for plan in plan_of(registry, ask) if "TEMP B-TREE" not in plan]
        assert plans
        assert [plan for plan in plans if not plan.startswith("SEARCH records USING") and plan != few] == []


def test_all_files_of_a_registry_can_be_read_by_their_owner_only(registry, tmp_path):
    registry.allocate(7)
    files = sorted(tmp_path.iterdir())
    assert {file.name for file in files} == {f"registry.db{end}" for end in ("", "-wal", "-shm", "-queue")}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


@pytest.mark.parametrize("address", ["{}", "sqlite:///{}"])
def test_no_verb_but_add_slot_makes_a_registry(tmp_path, address, capsys):
    key, missing = tmp_path / "key.json", tmp_path / "missing.db"
    KeyFile.new().save(key)
    where = ["--registry", address.format(missing)]
    verbs = [
        ["slots"],
        ["show", "7", "1"],
        ["verify"],
        ["verify", "--key-file", str(key)],
        ["purge", "--key-file", str(key)],
        ["reserve", "7", "1", "--key-file", str(key)],
        ["add-propagator", "7", "1", "a", "b", "--key-file", str(key)],
        ["soft-binding", "7", "1", "--owner", "org.example"],
    ]
    for verb in verbs:
        assert main(["registry", *verb, *where]) == 2
        assert "no registry at" in capsys.readouterr().err
        assert [file.name for file in tmp_path.iterdir()] == ["key.json"]


def test_somebody_elses_database_is_not_changed_by_reading(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE mine (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(UserError, match="no registry at"):
        Registry(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["other.db"]


@pytest.mark.parametrize("version", [1, 2])
def test_an_earlier_registry_is_brought_up_to_date_and_keeps_its_records(registry, tmp_path, version):
    (number,) = registry.content_ids(registry.reserve(7, 1))
    registry.record([make_record(number)])
    with registry._engine.begin() as connection:
        set_back(connection, version)
    registry.close()
    reader = Registry(tmp_path / "registry.db")
    assert [slot.slot for slot in reader.slots()] == [7]  # a reader leaves it as it is
    assert reader.manifest("urn:c2pa:1") is None
    with pytest.raises(UserError, match="another key"):
        Registry(tmp_path / "registry.db", b"another")
    opened = Registry(tmp_path / "registry.db", b"registry key")
    assert opened.verify().ok
    assert opened.find(7, number) is not None
    assert differences(opened._engine) == []
    with opened._engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [str(VERSION)]
    assert Registry(tmp_path / "registry.db", b"registry key").verify().ok


def test_a_new_registry_has_the_tables_that_the_program_means(registry):
    assert differences(registry._engine) == []


def test_a_step_that_fails_leaves_the_registry_as_it_was(registry, tmp_path):
    with registry._engine.begin() as connection:
        set_back(connection, 2)
        connection.execute(text("CREATE TABLE manifests (in_the_way INTEGER)"))
    with pytest.raises(UserError, match="nothing was changed"):
        Registry(tmp_path / "registry.db", b"registry key")
    with registry._engine.begin() as connection:
        assert stored_version(connection) == 2
        connection.execute(text("DROP TABLE manifests"))
    assert Registry(tmp_path / "registry.db", b"registry key").verify().ok


def test_a_registry_of_a_later_version_is_refused(registry, tmp_path):
    with registry._engine.begin() as connection:
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{VERSION + 1}'"))
    for key in (None, b"registry key"):
        with pytest.raises(UserError, match=f"version {VERSION + 1}, made by a newer program"):
            Registry(tmp_path / "registry.db", key)


@pytest.mark.parametrize("key", ["", b""])
def test_an_empty_key_makes_no_registry(tmp_path, key):
    with pytest.raises((ValueError, TypeError)):
        Registry(tmp_path / "new.db", key)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(UserError, match="no registry can be made here"):
        Registry(tmp_path / "none" / "new.db", b"registry key")


def wait_for_turn(path, order, number):
    with turn(path, 60):
        order.put(number)


def test_writers_get_their_turn_in_the_order_in_which_they_came(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    order, path = spawn.SimpleQueue(), tmp_path / "queue"
    workers = []
    with turn(path, 60):
        for number in range(4):
            workers.append(spawn.Process(target=wait_for_turn, args=(path, order, number)))
            workers[-1].start()
            while int.from_bytes(path.read_bytes(), "little") < number + 2:
                workers[-1].join(0.01)  # until this one has drawn its number
        workers[1].kill()  # its place is given up at once
        workers[1].join()
    for worker in workers:
        worker.join()
    assert [order.get() for _ in range(3)] == [0, 2, 3]


def test_a_writer_that_waited_too_long_is_told_and_is_not_in_the_way_later(tmp_path):
    path = tmp_path / "queue"
    too_long = pytest.raises(UserError, match=r"busy for 0\.2 seconds; nothing was changed")
    with turn(path, 60), too_long, turn(path, 0.2):
        pass
    with turn(path, 60):
        pass


def test_what_may_be_done_twice_is_done_again_until_the_server_is_back(monkeypatch):
    waits, answers = [], iter([LostConnectionError("away"), LostConnectionError("away"), None])
    monkeypatch.setattr(database.time, "sleep", waits.append)

    def action():
        if error := next(answers):
            raise error
        return "done"

    assert reconnecting(action) == "done"
    assert waits == [0.05, 0.1]

    def never():
        raise LostConnectionError("away")

    with pytest.raises(UserError, match="away"):
        reconnecting(never)
    assert 10 < sum(waits) <= database.RECONNECT_SECONDS + 0.15


@pytest.mark.parametrize("lost", ["stored_version", "bring_up_to_date"])
def test_a_connection_lost_while_opening_is_made_again(tmp_path, monkeypatch, lost):
    really, losses = getattr(schema, lost), iter([LostConnectionError("away")])

    def cut_off_once(*arguments):
        if error := next(losses, None):
            raise error
        return really(*arguments)

    monkeypatch.setattr(schema, lost, cut_off_once)
    assert Registry(tmp_path / "registry.db", b"registry key").slots() == []
    assert next(losses, None) is None


def test_a_socket_that_was_reset_is_a_lost_connection_and_is_not_kept(tmp_path):
    engine = Registry(tmp_path / "registry.db", b"registry key")._engine
    pool = engine.pool
    with pytest.raises(LostConnectionError), transaction(engine, writes=False):
        raise ConnectionResetError(104, "Connection reset by peer")
    assert engine.pool is not pool


@pytest.mark.parametrize(
    ("code", "kind"), [("57P03", LostConnectionError), ("57P01", LostConnectionError), ("28P01", RefusedError)]
)
def test_a_server_that_starts_or_stops_is_asked_again_and_one_that_refuses_is_not(code, kind):
    pg8000 = pytest.importorskip("pg8000", reason="pg8000 is not installed: uv sync --group ci")
    engine = create_engine("postgresql+pg8000://nobody@localhost/nothing")

    @event.listens_for(engine, "do_connect")
    def refuse(*_):
        raise pg8000.dbapi.DatabaseError({"S": "FATAL", "C": code, "M": "the database system is starting up"})

    with pytest.raises(RefusedError) as error, transaction(engine, writes=False):
        pass
    assert type(error.value) is kind
