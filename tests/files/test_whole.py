"""Files appear whole or not at all; what the dead left is swept, what the living write is not."""

import multiprocessing
import os
import signal
import stat
import threading
import time

import pytest

from watermark.errors import UserError
from watermark.files import Staged, sweep, whole, write_whole


def stage_and_wait(path, ready):
    with Staged(path) as staged:
        staged.write(b"half")
        ready.set()
        time.sleep(60)


def test_the_file_has_the_mode_of_the_umask_and_an_overwritten_one_keeps_its_own(tmp_path):
    path = tmp_path / "a"
    before = os.umask(0o027)
    try:
        write_whole(path, b"1")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o600)
    write_whole(path, b"2", overwrite=True)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"2", 0o600)


def test_nobody_changes_the_umask_of_the_process(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("other threads would make files with it"))
    write_whole(tmp_path / "a", b"1")


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_symbolic_link_is_refused_and_its_victim_is_untouched(tmp_path, overwrite):
    (tmp_path / "victim").write_bytes(b"precious")
    for name, target in (("link", tmp_path / "victim"), ("dangling", tmp_path / "nowhere")):
        (tmp_path / name).symlink_to(target)
        with pytest.raises(UserError, match="is a symbolic link"):
            write_whole(tmp_path / name, b"x", overwrite=overwrite)
        assert (tmp_path / name).is_symlink()
    assert (tmp_path / "victim").read_bytes() == b"precious"


def test_a_file_that_came_up_meanwhile_is_not_replaced(tmp_path):
    with Staged(tmp_path / "a") as staged:
        staged.write(b"ours")
        (tmp_path / "a").write_bytes(b"theirs")
        with pytest.raises(UserError, match="exists already"):
            staged.release()
    assert (tmp_path / "a").read_bytes() == b"theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_of_many_writers_of_one_name_exactly_one_wins(tmp_path):
    won = []

    def write(number):
        try:
            write_whole(tmp_path / "a", bytes([number]) * 1000)
            won.append(number)
        except UserError:
            pass

    threads = [threading.Thread(target=write, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert (tmp_path / "a").read_bytes() == bytes(won) * 1000
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_a_killed_writer_left_is_swept_and_what_a_living_one_writes_is_not(tmp_path, monkeypatch):
    context = multiprocessing.get_context("spawn")
    ready = [context.Event(), context.Event()]
    dead, alive = (context.Process(target=stage_and_wait, args=(tmp_path / str(n), ready[n])) for n in range(2))
    for process, event in zip((dead, alive), ready, strict=True):
        process.start()
        assert event.wait(60)
    try:
        os.kill(dead.pid, signal.SIGKILL)
        dead.join()
        assert len(list(tmp_path.iterdir())) == 2
        monkeypatch.setattr(whole, "_swept", set())
        write_whole(tmp_path / "next", b"next")  # the next run sweeps
        assert sorted(path.name.startswith(whole.PREFIX) for path in tmp_path.iterdir()) == [False, True]
        assert sweep(tmp_path) == []
    finally:
        alive.kill()
        alive.join()


def test_errors_name_the_target_and_never_the_hidden_file(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "below", tmp_path / ("n" * 300)):
        with pytest.raises(UserError) as refusal:
            write_whole(path, b"x")
        assert str(refusal.value).startswith(f"{path}: cannot be written (")
        assert whole.PREFIX not in str(refusal.value)
