import json
from pathlib import Path

import pytest

from watermark.errors import UserError
from watermark.training.journal import Journal


def test_what_a_killed_process_wrote_after_its_checkpoint_is_written_once(tmp_path):
    log = tmp_path / "log.jsonl"
    lines = [json.dumps({"step": step, "kind": "train"}) for step in (10, 20, 30)]
    log.write_text("\n".join(lines) + '\n{"step": 40, "ki')  # killed at a line
    journal = Journal(tmp_path, 100, 20)
    journal.write(30, "train", {"loss": 1.0})
    journal.close()
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()] == [10, 20, 30]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is always full")
def test_a_full_disk_is_one_line_that_names_the_file_and_closing_says_no_more(tmp_path):
    journal = Journal(tmp_path, 10, 0)
    journal._file.close()
    journal._file = Path("/dev/full").open("a")  # noqa: SIM115 - the journal closes it
    with pytest.raises(UserError, match=r"log\.jsonl: cannot be written \(No space left on device\)"):
        journal.write(1, "train", {"loss": 1.0})
    journal.close()


def test_whoever_waits_hears_after_the_first_step_and_then_each_minute(tmp_path, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("watermark.training.journal.time.monotonic", lambda: now)
    journal = Journal(tmp_path, 10, 0)
    assert journal.overdue()
    journal.progress(1, {"loss": 1.0})
    assert not journal.overdue()
    now += 61
    assert journal.overdue()
    journal.close()
