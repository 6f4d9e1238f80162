"""kill -9 of commands at random moments: one each here, many by hand (results/published/reliability)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "results" / "published" / "reliability" / "kills.py"
KILLS = os.environ.get("WATERMARK_KILLS", "1")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="commands run in forks")
def test_a_killed_command_loses_nothing_and_the_next_run_heals_it(tmp_path):
    verbs = ["embed", "embed in place", "issue", "key new", "registry reserve"]
    words = [sys.executable, str(SCRIPT), str(tmp_path), "--kills", KILLS, "--verbs", *verbs]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
