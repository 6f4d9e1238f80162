import pytest
from tiny_run import config, quiet

from watermark.evaluation.job import Job
from watermark.evaluation.run import run


@pytest.fixture(scope="module")
def frozen_code():
    """Editing a file while the tests run would (rightly) make another job of the same configuration."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("watermark.evaluation.job.code_hash", lambda _config: "this version")
        yield


@pytest.fixture(scope="module")
def finished(frozen_code, tmp_path_factory):
    """The folder of runs, and in it the tiny run; not to be changed."""
    output = tmp_path_factory.mktemp("runs")
    return output, run(Job(config(output)), quiet)
