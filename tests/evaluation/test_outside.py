"""A mark that is not ours: pictures that somebody marked, and a program that somebody wrote."""

import json
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from watermark.cli import main
from watermark.errors import UserError
from watermark.schemes.peers.command import command

BRIGHT = """
import sys
import numpy as np
from PIL import Image
level = np.asarray(Image.open(sys.argv[1]).convert("L")).mean()
if level < 20:
    print("too dark to say", file=sys.stderr)
    sys.exit(3)
sys.exit(0 if level > 128 else 1)
"""


@pytest.fixture
def world(tmp_path):
    """Bright pictures count as marked; a detector that says so, in a folder whose name needs quotes."""
    for name, level in (("marked/a", 200), ("marked/b", 180), ("marked/c", 5), ("plain/a", 60), ("plain/b", 140)):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((48, 64, 3), level, np.uint8)).save(path)
    (tmp_path / "marked" / "broken.png").write_bytes(b"no picture")
    (tmp_path / "the detector").mkdir()
    (tmp_path / "the detector" / "bright.py").write_text(BRIGHT)
    return tmp_path


def asked(world, capsys, *words):
    detector = f"{sys.executable} '{world}/the detector/bright.py' {{}}"
    status = main(["attacks", "try", str(world / "marked"), "--detector", detector, "--suite", "smoke", *words])
    return status, capsys.readouterr()


def test_found_false_alarms_and_no_answers_are_counted_apart(world, capsys):
    status, told = asked(world, capsys, "--unmarked", str(world / "plain"), "--json")
    assert status == 0
    assert "broken.png" in told.err
    rows = [json.loads(line) for line in told.out.splitlines()]
    before = {row["marked"]: row for row in rows if row["attack"] == "identity"}
    assert (before[True]["found"], before[True]["n"], before[True]["failed"]) == (2, 2, 1)
    assert before[True]["why"] == "status 3: too dark to say"
    assert (before[False]["found"], before[False]["n"]) == (1, 2)
    assert before[True]["interval"][0] < 1 == before[True]["interval"][1]
    assert {row["attack"] for row in rows} == {"identity", "jpeg", "crop", "resize", "gaussian_noise"}
    assert asked(world, capsys, "--unmarked", str(world / "plain"), "--json")[1].out == told.out  # the same draws


def test_a_line_says_found_of_how_many_with_an_interval(world, capsys):
    _, told = asked(world, capsys)
    assert "identity                                 found 2 of 2 [34 to 100 %]  no answer to 1" in told.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (" ", "detector: expected a command, got none"),
        ("detect '{}", "No closing quotation"),
    ],
)
def test_words_that_are_no_command_are_one_line(words, said):
    with pytest.raises(UserError, match=said):
        command(words)


def test_of_a_detector_that_takes_too_long_no_process_is_left(tmp_path):
    psutil = pytest.importorskip("psutil")
    (tmp_path / "slow.sh").write_text(f"sleep 300 & echo $! > {tmp_path}/number; wait")
    with pytest.raises(subprocess.TimeoutExpired):
        command(f"sh {tmp_path}/slow.sh {{}}", timeout=1)(Image.new("RGB", (8, 8)))
    number = int((tmp_path / "number").read_text())
    with suppress(psutil.NoSuchProcess):
        assert psutil.Process(number).status() == psutil.STATUS_ZOMBIE


def test_a_detector_may_talk_without_end(tmp_path):
    talks = f'{sys.executable} -c \'print("x" * 10_000_000); print("the end"); raise SystemExit(4)\' {{}}'
    with pytest.raises(UserError, match="status 4: the end"):
        command(talks)(Image.new("RGB", (8, 8)))


def test_a_program_that_is_not_there_is_named():
    with pytest.raises(UserError, match=r"^cannot start nosuchprogram \(No such file or directory\)$"):
        command("nosuchprogram --fast {}")(Image.new("RGB", (8, 8)))


def test_a_detector_that_never_answers_ends_the_run(world, capsys):
    wrong = ["attacks", "try", str(world / "marked"), "--suite", "smoke", "--detector"]
    assert main([*wrong, f"{sys.executable} {world}/missing.py {{}}"]) == 2
    assert "no answer to any of 3 pictures" in capsys.readouterr().err
    assert main([*wrong, f"{sys.executable} -c 'import time; time.sleep(9)' {{}}", "--timeout", "0.1"]) == 2
    assert "TimeoutExpired" in capsys.readouterr().err
    assert main([*wrong, "x {}", "--limit", "0"]) == 2
    assert "--limit: expected at least 1, got 0" in capsys.readouterr().err
