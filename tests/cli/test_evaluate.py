import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest
from hydra.errors import HydraException
from omegaconf import OmegaConf

from watermark.catalogue import packages_of
from watermark.cli import main
from watermark.cli.evaluate import _terminated_as_interrupted
from watermark.cli.hydra_verb import Launched, one_line
from watermark.evaluation.config import EvaluateConfig
from watermark.training.config import TrainConfig

TINY = ["suite=smoke", "data=synthetic", "data.count=2", "data.width=160", "data.height=160", "workers=1"]


def evaluate(tmp_path, *words):
    return main(["evaluate", *TINY, f"output={tmp_path}", *words])


def test_slurms_launcher_without_slurm_is_one_line(tmp_path, capsys, monkeypatch):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert evaluate(tmp_path, "scheme=dwt_dct", "-m", "hydra/launcher=submitit_slurm", "shard=1/2,2/2") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "found no program srun; hydra/launcher=submitit_local runs the same jobs here" in line


def test_the_configuration_of_a_multirun_is_asked_for_without_it(tmp_path, capsys):
    assert evaluate(tmp_path, "-m", "seed=1,2", "--cfg", "job") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "watermark: expected one of -m (--multirun), --cfg and --info, got more than one"


def test_one_command_goes_from_configuration_to_report(tmp_path, capsys):
    assert evaluate(tmp_path, "schemes=[dwt_dct,dwt_dct_svd]", "seed=3") == 0
    (folder,) = tmp_path.iterdir()
    printed, told = capsys.readouterr()
    assert "2 pictures, 2 schemes, 5 cells each, marked and unmarked, seed 3 -> " in " ".join(told.split())
    assert "dwt_dct_svd" in printed
    assert str(folder / "report.html") in printed
    assert "<html" in (folder / "report.html").read_text()[:200]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["seeds"] == {"run": 3}
    assert set(manifest["schemes"]) == {"dwt_dct", "dwt_dct_svd"}
    rows = pq.read_table(folder / "rows.parquet").num_rows
    assert evaluate(tmp_path, "schemes=[dwt_dct,dwt_dct_svd]", "seed=3") == 0  # again: nothing is measured twice
    assert len(list(tmp_path.iterdir())) == 1
    assert pq.read_table(folder / "rows.parquet").num_rows == rows == 2 * 2 * 5 * 2

    before = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    assert main(["report", str(folder)]) == 0
    assert (folder / "report.html").read_bytes() == before  # built again from the rows alone
    assert main(["remeasure", str(folder), "--cells", "1", "--seed", "0"]) == 0
    assert main(["compare", str(folder), str(folder)]) == 0


def test_settings_reach_the_scheme_and_quality_can_be_set_for_all(tmp_path, capsys):
    assert evaluate(tmp_path, "scheme=dwt_dct", "scheme.step=30", "name=step") == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "2 pictures, dwt_dct, 5 cells each, marked and unmarked -> " in told
    assert told.endswith("Measuring: 10 of 10 cells Measuring is done; now the report")  # what a log shows
    assert evaluate(tmp_path, "scheme=dwt_dct", "target_psnr=38", "suite.jpeg.sweep.quality=[35]", "name=quality") == 0
    stepped, quality = (pq.read_table(tmp_path / n / "rows.parquet").to_pylist() for n in ("step", "quality"))
    assert all(row["psnr"] > 45 for row in stepped if row["marked"] and row["image_class"] == "smooth")
    assert all(abs(row["psnr"] - 38) < 0.5 for row in quality if row["marked"] and row["image_class"] == "smooth")
    assert {row["strength"] for row in quality if row["attack"] == "jpeg"} == {35}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["scheme=dwt_dct", "scheme.step=-4"], "between 1 and 1000 8-bit levels, got -4"),
        (["scheme=dwt_dct", "suite.jpeg.sweep.quality=[200]"], "quality must be in 1..100, got 200"),
        (["scheme=dwt_dct", "suite.jpeg.sweep.quality=[low]"], "expected a list of numbers such as [1,2], got ['low']"),
        (["scheme=dwt_dct", "suite.jpeg.sweep.quality=50"], "expected a list of numbers such as [1,2], got 50"),
        (
            ["scheme=dwt_dct", "suite.jpeg.axis.harsh=5"],
            "searches no axis; say +suite.jpeg.search=6 too, or suite=brea",
        ),
        (["suite=breaking", "suite.jpeg.sweep.quality=[50]"], "reads no rungs; say suite.jpeg.search=null too, or"),
        (["schemes=[nothing]"], "no scheme named 'nothing'; expected one of"),
        (["data=folder"], "data.path: expected a value"),
        (["data=folder", "data.path=nowhere"], "expected a folder of pictures, got nowhere"),
        (["scheme=dwt_dct", "schemes=[dwt_dct]"], "got both"),
        (["scheme=dwt_dct", "shard=3/2"], "expected i/n"),
        (["scheme=dwt_dct", "search=fast"], "search: expected one of quick, thorough, got 'fast'"),
        (["scheme=dwt_dct", "workers=0"], "expected at least 1, got 0"),
        (["scheme=mbrs", "scheme.file=none.pt"], "docs/weights.md says how to get one"),
        (["scheme=ssl", "scheme.file=none.pt"], "docs/weights.md says how to get one"),
    ],
)
def test_a_bad_setting_is_one_line_before_any_bar_and_leaves_nothing_behind(tmp_path, capsys, words, reason):
    words = [w for w in TINY if not (w.startswith("data") and "data=folder" in words)] + words
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", *words, f"output={tmp_path}"])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("watermark: ")
    assert reason in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("x_y_z=1", "no setting 'x_y_z'; `watermark evaluate --cfg job` prints all that there are"),
        ("sede=1", "no setting 'sede' (did you mean seed?)"),
        ("data.cuont=1", "no setting 'data.cuont' (did you mean data.count?)"),
        ("limit=3", "no setting 'limit' (did you mean data.limit?)"),
        ("data.path=photos", "no setting 'data.path' (data=folder has a path: say data=folder data.path=DIR)"),
        ("--scheme=dwt_dct", "evaluate takes scheme=dwt_dct, without hyphens, got --scheme=dwt_dct"),
        ("--limit", "evaluate takes data.limit=VALUE, without hyphens, got --limit"),
        ("--target-psnr", "evaluate takes target_psnr=VALUE, without hyphens, got --target-psnr"),
        ("photos", "evaluate takes NAME=VALUE, got photos; see `watermark evaluate --help`"),
        (".", "evaluate takes NAME=VALUE, got .; a folder of pictures is data=folder data.path=.; see"),
        ("scheme=dwt_dtc", "no scheme named 'dwt_dtc' (did you mean dwt_dct?); expected one of"),
        ("schemes=dwt_dct,hidden", "schemes: expected one value; say 'schemes=[dwt_dct,hidden]' for a list, or -m"),
        ("seed=abc", "seed: expected a whole number, got 'abc'"),
        ("target_psnr=abc", "target_psnr: expected a number, got 'abc'"),
        ("scheme=dwt", "no scheme named 'dwt' (did you mean dwt_dct?); expected one of blind_watermark, command"),
    ],
)
def test_a_typo_is_one_line_that_lists_what_there_is(tmp_path, capsys, word, reason):
    assert evaluate(tmp_path, word) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("watermark: ")
    assert reason in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("launcher", "package", "extra"),
    [
        ("submitit_slurm", "hydra-submitit-launcher", "slurm"),
        ("submitit_local", "hydra-submitit-launcher", "slurm"),
        ("ray", "hydra-ray-launcher", "ray"),
    ],
)
def test_a_launcher_that_is_not_installed_names_its_extra(launcher, package, extra):
    said = f"In 'hydra/config': Could not find 'hydra/launcher/{launcher}' Available options in 'hydra/launcher': basic"
    line = one_line(HydraException(said), "evaluate", EvaluateConfig)
    assert line == f"hydra/launcher={launcher} needs the package {package}: pip install 'robust-watermark[{extra}]'"
    assert package in packages_of(extra)


@pytest.mark.parametrize(
    ("target", "srun", "said"),
    [("LocalLauncher", False, True), ("SlurmLauncher", True, True), ("SlurmLauncher", False, False)],
)
def test_a_launcher_whose_jobs_nobody_sees_says_where_they_speak(tmp_path, capsys, monkeypatch, target, srun, said):
    if srun:
        (tmp_path / "srun").write_text("")
        (tmp_path / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    launcher = {"_target_": f"plugin.{target}", "submitit_folder": "${hydra.sweep.dir}/jobs"}
    config = {"output": "runs", "hydra": {"launcher": launcher, "sweep": {"dir": "${output}/.multirun"}}}
    Launched().on_multirun_start(OmegaConf.create(config))
    line = "watermark: the jobs speak in runs/.multirun/jobs/*_log.out and *_log.err; the runs lie in runs\n"
    assert capsys.readouterr().err == (line if said else "")


def test_a_launcher_of_ray_needs_no_environment_that_uv_would_build_without_it(tmp_path, monkeypatch):
    for name in ("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "RAY_USAGE_STATS_ENABLED"):
        monkeypatch.setenv(name, "1")  # so that it is put back
        monkeypatch.delenv(name)
    assert evaluate(tmp_path, "hydra/launcher=ray", "suite=smok") == 2
    assert os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] == os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def test_a_second_sigterm_does_not_cut_short_what_the_first_began():
    def work():
        with _terminated_as_interrupted():
            try:
                signal.raise_signal(signal.SIGTERM)
            finally:
                signal.raise_signal(signal.SIGTERM)
                ended.append("inside")

    before, ended = signal.getsignal(signal.SIGTERM), []
    try:
        with pytest.raises(KeyboardInterrupt):
            work()
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended == ["inside"]


@pytest.mark.parametrize(("verb", "schema"), [("evaluate", EvaluateConfig), ("train", TrainConfig)])
def test_the_help_is_one_page_and_names_what_there_is(capsys, verb, schema):
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert len(said.splitlines()) < 30
    assert max(map(len, said.splitlines())) <= 110
    named = {name.split(".")[0] for name in re.findall(r"([a-z_.]+)=", said)}
    known = {field.name for field in dataclasses.fields(schema)} | {"scheme", "suite", "data", "layout", "experiment"}
    assert named - known - {"photos", "group", "name"} == set()
    assert "Hydra" not in said


def test_a_plug_in_outside_of_the_repository_brings_its_own_scheme_and_attack(tmp_path, monkeypatch):
    (tmp_path / "configs" / "scheme").mkdir(parents=True)
    (tmp_path / "configs" / "attack").mkdir()
    (tmp_path / "my_plugin_for_tests.py").write_text(PLUGIN)
    (tmp_path / "configs" / "scheme" / "mine.yaml").write_text("_target_: my_plugin_for_tests.Louder\n")
    (tmp_path / "configs" / "attack" / "invert.yaml").write_text(
        "build: {_target_: my_plugin_for_tests.Invert, _partial_: true}\nsweep: {amount: [0.0, 1.0]}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    words = [f"hydra.searchpath=[file://{tmp_path / 'configs'}]", "scheme=mine", "+attack@suite.invert=invert"]
    assert evaluate(tmp_path / "runs", *words, "name=mine") == 0
    rows = pq.read_table(tmp_path / "runs" / "mine" / "rows.parquet").to_pylist()
    assert {row["scheme"] for row in rows} == {"mine"}
    assert {row["strength"] for row in rows if row["attack"] == "invert"} == {0.0, 1.0}
    assert not [row["error"] for row in rows if row["error"]]
    assert evaluate(tmp_path / "runs", words[0], "schemes=[mine,dwt_dct]", "name=both") == 0
    both = pq.read_table(tmp_path / "runs" / "both" / "rows.parquet").to_pylist()
    assert {row["scheme"] for row in both} == {"mine", "dwt_dct"}


PLUGIN = """
from attacks.base import Attack
from watermark.schemes.dwt_dct import DwtDct


class Louder(DwtDct):
    def __init__(self, message_bits=256, *, key):
        super().__init__(message_bits, key=key, target_psnr=36.0)


class Invert(Attack):
    differentiable, geometric, harder = True, False, "higher"
    unit, reproduces, neutral = "share of inversion", "a negative", 0.0

    def __init__(self, amount):
        super().__init__(amount)

    def transform(self, images, generators):
        return images + self.strength * (1 - 2 * images)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("send", "number"),
    [(os.killpg, signal.SIGINT), (os.kill, signal.SIGTERM)],
    ids=["Ctrl-C, as a terminal sends it to every process of the group", "kill, sent to the one process"],
)
def test_who_stops_a_run_is_told_one_line_and_no_process_is_left_behind(tmp_path, send, number):
    code = "import sys; from watermark.cli import main\nif __name__ == '__main__': sys.exit(main())"
    (tmp_path / "run.py").write_text(code)
    words = [
        "scheme=dwt_dct",
        "suite=smoke",
        "data=synthetic",
        "data.count=80",
        "data.width=160",
        "data.height=160",
        "workers=2",
        f"output={tmp_path}",
    ]
    command = [sys.executable, str(tmp_path / "run.py"), "evaluate", *words, "name=stopped"]
    running = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    parts = tmp_path / "stopped" / "parts"
    deadline = time.monotonic() + 240
    while not list(parts.glob("*.rows.parquet")) and time.monotonic() < deadline:
        time.sleep(0.1)
    send(running.pid, number)
    _, printed = running.communicate(timeout=120)
    assert running.returncode == 130
    assert "Traceback" not in printed
    assert "leaked" not in printed
    assert "the same command goes on from here" in printed
    assert 0 < len(list(parts.glob("*.rows.parquet"))) < 80
    deadline = time.monotonic() + 20
    while alive(running.pid) and time.monotonic() < deadline:
        time.sleep(0.1)  # multiprocessing's resource tracker takes a moment to see that it is alone
    assert not alive(running.pid)


def alive(group):
    """Whether any process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
