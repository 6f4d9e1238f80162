import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("given", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_that_wait_sleep_unless_the_user_says_otherwise(given, expected):
    """The OpenMP library of torch is asked itself: it reads the policy once, while torch is imported."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environment |= {"OMP_DISPLAY_ENV": "TRUE"} | ({"OMP_WAIT_POLICY": given} if given else {})
    words = [sys.executable, "-m", "watermark", "show", "scheme", "dwt_dct"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    if "OMP_WAIT_POLICY" not in done.stderr:
        pytest.skip("torch brings another OpenMP library here, which does not say what it read")
    assert f"OMP_WAIT_POLICY = '{expected}'" in done.stderr
