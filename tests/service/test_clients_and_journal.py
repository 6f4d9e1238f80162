import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from watermark.service.clients import CLIENTS, Clients, client_of
from watermark.service.journal import Journal
from watermark.service.problems import ProblemError


class Now:
    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


def test_a_minute_holds_so_many_requests_and_they_come_back():
    now = Now()
    clients = Clients(rate=6, near_copies=0, clock=now)
    for _ in range(6):
        clients.ask("192.0.2.1")
    with pytest.raises(ProblemError) as refused:
        clients.ask("192.0.2.1")
    clients.ask("192.0.2.2")  # somebody else
    now.seconds += refused.value.retry_after
    clients.ask("192.0.2.1")


def test_an_hour_holds_so_many_versions_of_one_picture():
    now = Now()
    clients = Clients(rate=0, near_copies=2, clock=now)
    for looks in ("phash64:00000000000000ff", "phash64:00000000000000fe"):
        clients.saw("192.0.2.1", looks)
    with pytest.raises(ProblemError) as refused:
        clients.saw("192.0.2.1", "phash64:00000000000000f0")
    clients.saw("192.0.2.1", "phash64:ffffffff00000000")  # another picture
    now.seconds += refused.value.retry_after
    clients.saw("192.0.2.1", "phash64:00000000000000f0")


def test_a_client_has_so_many_uploads_under_way_and_others_have_theirs():
    clients = Clients(rate=6, near_copies=0, at_once=2)
    with clients.inside("2001:db8::1"), clients.inside("2001:db8::2"):
        with pytest.raises(ProblemError) as refused, clients.inside("2001:db8::3"):
            pass
        assert (refused.value.status, refused.value.retry_after) == (429, 1)
        with clients.inside("192.0.2.1"):
            pass
    with clients.inside("2001:db8::3"):
        pass
    assert not clients._inside


def test_a_network_of_ipv6_is_one_client_and_a_mapped_address_is_its_own():
    assert client_of("2001:db8::1") == client_of("2001:db8::ffff:1") != client_of("2001:db8:0:1::1")
    assert client_of("::ffff:192.0.2.1") == "192.0.2.1"


def test_the_memory_of_clients_is_bounded():
    clients = Clients(rate=1, near_copies=0)
    for number in range(CLIENTS + 10):
        clients.ask(f"client {number}")
    assert len(clients._known) == CLIENTS


def test_a_day_of_the_journal_is_removed_when_its_time_is_over(tmp_path):
    day = [datetime(2026, 1, 1, tzinfo=UTC)]
    journal = Journal(tmp_path, 30, b"secret", lambda: day[0])
    journal.write("answers", {"answer": "no mark"})
    (tmp_path / "answers-of-mine.txt").write_text("not ours")
    day[0] += timedelta(days=30)
    journal.write("feedback", {"verdict": "right"})
    assert (tmp_path / "answers-2026-01-01.jsonl").exists()
    day[0] += timedelta(days=1)
    journal.write("answers", {"answer": "match"})
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"answers-of-mine.txt", "feedback-2026-01-31.jsonl", "answers-2026-02-01.jsonl"}
    assert json.loads((tmp_path / "answers-2026-02-01.jsonl").read_text())["answer"] == "match"


def test_who_holds_the_key_finds_a_file_in_the_journal_and_nobody_else(tmp_path):
    mine, again, other = (Journal(tmp_path, 1, secret) for secret in (b"a", b"a", b"b"))
    assert mine.picture(b"file") == again.picture(b"file") != other.picture(b"file")
    assert mine.picture(b"file") != mine.picture(b"another")


def test_half_a_line_spoils_no_other_and_a_full_disk_is_said(tmp_path, monkeypatch):
    journal = Journal(tmp_path, 30, b"secret")
    journal.write("answers", {"answer": "marked"})
    (path,) = tmp_path.iterdir()
    path.write_text(path.read_text() + '{"time": "20')
    journal.write("answers", {"answer": "plain"})
    assert [json.loads(line)["answer"] for line in path.read_text().splitlines() if line.endswith("}")] == [
        "marked",
        "plain",
    ]
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:5]))
    with pytest.raises(OSError, match="No space left"):
        journal.write("answers", {"answer": "marked"})
