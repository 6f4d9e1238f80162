"""Sweeps that outgrow one process go through Hydra's launchers; here with two local workers."""

import subprocess
import sys

import pyarrow.parquet as pq
import pytest

CODE = "import sys; from watermark.cli import main; sys.exit(main())"
WORDS = ["evaluate", "scheme=dwt_dct", "suite=smoke", "data=synthetic", "data.count=4", "workers=1"]


def rows(folder):
    (found,) = folder.glob("smoke-synthetic-*/rows.parquet")
    return found.read_bytes(), pq.read_metadata(found).num_rows


LAUNCHERS = {
    "hydra_submitit_launcher": [
        "hydra/launcher=submitit_local",
        "hydra.launcher.timeout_min=5",
        "hydra.launcher.submitit_folder=${hydra.sweep.dir}/.submitit",  # docs/slurm.md says why
    ],
    "hydra_ray_launcher": [
        "hydra/launcher=ray",
        "+hydra.launcher.ray.init.num_cpus=2",
        "+hydra.launcher.ray.init.address=local",
    ],
}


def evaluated(folder, words):
    done = subprocess.run(words, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return rows(folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The same run in one process."""
    folder = tmp_path_factory.mktemp("whole")
    return evaluated(folder, [sys.executable, "-c", CODE, *WORDS, f"output={folder}"])


@pytest.mark.slow
@pytest.mark.parametrize("plugin", LAUNCHERS)
def test_two_shards_through_a_launcher_meet_in_the_rows_of_one_process(tmp_path, whole, plugin):
    pytest.importorskip(f"hydra_plugins.{plugin}", reason=f"{plugin} is not installed: uv sync --group sweeps")
    launcher = ["-m", *LAUNCHERS[plugin], "shard=1/2,2/2"]
    words = [sys.executable, "-c", CODE, *WORDS[:1], *launcher, *WORDS[1:], f"output={tmp_path}"]
    assert evaluated(tmp_path, words) == whole
    assert whole[1] == 4 * 5 * 2
