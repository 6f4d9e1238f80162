import multiprocessing
import os
import signal
import sqlite3
import time

import pytest
from registry_fakes import make_record, make_slot
from sqlalchemy import event

from watermark.errors import UserError
from watermark.registry import Registry

SPAWN = multiprocessing.get_context("spawn")


def open_allocate_record(path, count, block, recorded, results):
    registry = Registry(path, b"registry key")
    ids = []
    while len(ids) < count:
        ids += registry.content_ids(registry.reserve(7, min(block, count - len(ids))))
    if recorded:
        for start in range(0, count, 25):
            registry.record([make_record(number) for number in ids[start : start + 25]])
    results.put(ids)


def run_processes(path, processes, count, block, recorded=True):
    results = SPAWN.Queue()
    workers = [
        SPAWN.Process(target=open_allocate_record, args=(path, count, block, recorded, results))
        for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    ids = [number for _ in workers for number in results.get(timeout=300)]
    for worker in workers:
        worker.join()
    assert all(worker.exitcode == 0 for worker in workers)
    return ids


@pytest.mark.parametrize("block", [1, 32])
def test_processes_at_once_lose_nothing_and_repeat_nothing(registry, tmp_path, block):
    ids = run_processes(tmp_path / "registry.db", processes=3, count=200, block=block)
    assert len(ids) == len(set(ids)) == 600
    result = registry.verify()
    assert result.ok
    assert result.count == 601
    assert all(registry.find(7, number) is not None for number in ids[::50])


@pytest.mark.slow
def test_eight_processes_of_ten_thousand_allocations_lose_nothing_and_repeat_nothing(registry, tmp_path):
    ids = run_processes(tmp_path / "registry.db", processes=8, count=10_000, block=64, recorded=False)
    assert len(ids) == len(set(ids)) == 80_000


def test_many_processes_may_create_the_same_registry_at_once(tmp_path):
    results = SPAWN.Queue()
    workers = [SPAWN.Process(target=create, args=(tmp_path / "new.db", results)) for _ in range(3)]
    for worker in workers:
        worker.start()
    assert sorted(results.get(timeout=120) for _ in workers) == ["created"] + ["slot 7 is taken"] * 2
    for worker in workers:
        worker.join()


def create(path, results):
    try:
        Registry(path, b"registry key").add_slot(make_slot())
        results.put("created")
    except UserError as error:
        results.put(str(error).split(";")[0])


def record_for_ever(path, results):
    registry = Registry(path, b"registry key")
    while True:
        number = registry.allocate(7)
        registry.record([make_record(number)])
        results.put(number)


def test_a_process_killed_in_the_middle_leaves_a_whole_registry(registry, tmp_path):
    known = set()
    for delay in (0.0, 0.003, 0.011):
        results = SPAWN.SimpleQueue()
        worker = SPAWN.Process(target=record_for_ever, args=(tmp_path / "registry.db", results))
        worker.start()
        known |= {results.get() for _ in range(20)}
        time.sleep(delay)
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
    result = registry.verify()
    assert result.ok
    assert result.count >= 1 + len(known) == 61
    assert all(registry.find(7, number) is not None for number in known)
    assert registry.allocate(7) not in known


def test_a_full_disk_is_said_and_leaves_the_registry_as_it_was(registry, tmp_path):
    full = {"pages": None}

    def limit(connection, _record):
        if full["pages"]:
            connection.execute(f"PRAGMA max_page_count = {full['pages']}")

    event.listen(registry._engine, "connect", limit)
    ids = registry.content_ids(registry.reserve(7, 400))
    registry.record([make_record(number) for number in ids[:5]])
    registry.close()
    with sqlite3.connect(tmp_path / "registry.db") as database:
        full["pages"] = database.execute("PRAGMA page_count").fetchone()[0] + 2
    with pytest.raises(UserError, match=r"disk is full; nothing was changed"):
        registry.record([make_record(number) for number in ids[5:]])
    full["pages"] = None
    registry.close()
    result = registry.verify()
    assert result.ok
    assert result.count == 6
    registry.record([make_record(number) for number in ids[5:]])
    assert registry.verify().count == 401
