import importlib.util
import json
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("simulate_run", Path(__file__).with_name("simulate.py"))
simulation = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(simulation)


@pytest.fixture(scope="session")
def sim():
    """The simulator: ``sim.simulate(path, sim.Simulation(...))``."""
    return simulation


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory):
    """A simulated run with its report, built once."""
    from watermark.report import build_report

    path = simulation.simulate(tmp_path_factory.mktemp("run"), simulation.Simulation(failures=5))
    build_report(path)
    return path


@pytest.fixture(scope="session")
def data(run_dir):
    return json.loads((run_dir / "report.json").read_text())


@pytest.fixture(scope="session")
def page(run_dir):
    return (run_dir / "report.html").read_text()


@pytest.fixture(scope="session")
def rows(run_dir):
    import pandas as pd

    return pd.read_parquet(run_dir / "rows.parquet")
