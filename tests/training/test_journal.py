import json

from watermark.training.journal import Journal


def test_what_a_killed_process_wrote_after_its_checkpoint_is_written_once(tmp_path):
    log = tmp_path / "log.jsonl"
    lines = [json.dumps({"step": step, "kind": "train"}) for step in (10, 20, 30)]
    log.write_text("\n".join(lines) + '\n{"step": 40, "ki')  # killed at a line
    journal = Journal(tmp_path, 100, 20)
    journal.write(30, "train", {"loss": 1.0})
    journal.close()
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()] == [10, 20, 30]
