"""A package of somebody else's, built and installed, brings a scheme, an attack and a suite to every command."""

import importlib
import json
import subprocess
import sys
import zipfile

import pyarrow.parquet as pq
import pytest
from PIL import Image
from skimage import data

from watermark import Watermarker
from watermark.cli import main
from watermark.config import compose, config_names

FILES = {
    "pyproject.toml": """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "their-marks"
version = "1.0"
[project.entry-points."watermark.configs"]
theirs = "their_marks.configs"
gone = "no_such_package.configs"
unpacked = "their_marks.settings"
[tool.hatch.build.targets.wheel]
packages = ["their_marks"]
""",
    "their_marks/__init__.py": "",
    "their_marks/marks.py": """
from attacks.base import Attack
from watermark.schemes.dwt_dct import DwtDct


class Louder(DwtDct):
    def __init__(self, *, key, target_psnr=36.0, gain=1.0):
        super().__init__(256, key=key, target_psnr=target_psnr)


class Invert(Attack):
    differentiable, geometric, harder = True, False, "higher"
    unit, reproduces, neutral = "share of inversion", "a negative", 0.0

    def __init__(self, amount):
        super().__init__(amount)

    def transform(self, images, generators):
        return images + self.strength * (1 - 2 * images)
""",
    "their_marks/configs/scheme/louder.yaml": "_target_: their_marks.marks.Louder\ngain: 1e-1\n",
    "their_marks/configs/scheme/dwt_dct.yaml": "_target_: their_marks.marks.Louder\n",
    "their_marks/configs/attack/invert.yaml": (
        "build: {_target_: their_marks.marks.Invert, _partial_: true}\nsweep: {amount: [0.0, 1.0]}\n"
    ),
    "their_marks/configs/suite/negative.yaml": (
        "defaults:\n  - /attack@identity: identity\n  - /attack@invert: invert\n  - /attack@jpeg: jpeg\n  - _self_\n"
        "jpeg: {sweep: {quality: [70]}}\n"
    ),
}


@pytest.fixture
def installed(tmp_path, monkeypatch):
    source, site = tmp_path / "source", tmp_path / "site"
    for name, text in FILES.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=source, check=True, capture_output=True, text=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(site)
    monkeypatch.syspath_prepend(site)
    importlib.invalidate_caches()
    picture = tmp_path / "photo.png"
    Image.fromarray(data.astronaut()[:256, :256]).save(picture)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("their_marks")]:
        del sys.modules[name]


def test_what_an_installed_package_brings_works_in_every_command(installed, capsys):
    assert "louder" in config_names("scheme")
    assert compose("scheme", "dwt_dct")["_target_"] == "watermark.schemes.dwt_dct.DwtDct"  # ours stays ours
    assert compose("scheme", "louder")["gain"] == 0.1
    assert [entry["sweep"] for entry in compose("suite", "negative").values()][1:] == [
        {"amount": [0.0, 1.0]},
        {"quality": [70]},
    ]
    marker = Watermarker.load("louder", key="a secret", target_psnr=38)
    marked = marker.embed(Image.open("photo.png"), provider_id=1, content_id=2)
    assert marker.detect(marked).content_id == 2

    assert main(["key", "new", "my.key"]) == 0
    key = ["--scheme", "louder", "--key-file", "my.key"]
    assert main(["embed", "photo.png", "marked.png", "--provider", "7", "--content", "5", *key]) == 0
    assert main(["detect", "marked.png", *key]) == 0
    words = ["suite=negative", "data=synthetic", "data.count=2", "data.width=160", "data.height=160", "workers=1"]
    assert main(["evaluate", "schemes=[louder,dwt_dct]", *words, "output=runs", "name=both"]) == 0
    assert main(["evaluate", "scheme=louder", *words, "output=runs", "name=one"]) == 0
    rows = pq.read_table("runs/both/rows.parquet").to_pylist()
    assert {row["scheme"] for row in rows} == {"louder", "dwt_dct"}
    assert {row["strength"] for row in rows if row["attack"] == "invert"} == {0.0, 1.0}
    assert not [row["error"] for row in rows if row["error"]]
    assert main(["remeasure", "runs/one", "--cells", "1"]) == 0
    assert main(["report", "runs/one"]) == 0
    assert main(["attacks", "show", "photo.png", "--suite", "negative", "--max-side", "64", "--output", "all.png"]) == 0
    assert main(["bench", "--schemes", "louder", "--sizes", "128", "--batches", "1", "--output", "bench"]) == 0
    assert {case["scheme"] for case in json.loads((installed / "bench/bench.json").read_text())["cases"]} == {"louder"}
    (installed / "photos").mkdir()
    for place in range(4):
        Image.fromarray(data.astronaut()[90 * place :][:128, :128]).save(installed / "photos" / f"{place}.png")
    small = ["--side", "96", "--targets", "1", "--surrogate-steps", "0"]
    assert main(["forgery", "photos", "--schemes", "louder", *small, "--output", "forgery"]) == 0
    assert main(["forgery", "--run", "runs/one", *small]) == 0
    assert main(["bench", "--run", "runs/one", "--sizes", "128", "--batches", "1"]) == 0
    for answers in ("forgery/forgery.json", "runs/one/forgery.json"):
        told = json.loads((installed / answers).read_text())["answers"]
        assert {answer["scheme"] for answer in told} == {"louder"}
    code = "001100000000000000000010001"
    assert main(["registry", "add-slot", "7", "--code", code, "--scheme", "louder", "--key-file", "my.key"]) == 0
    assert main(["issue", "photo.png", "issued.png", "--provider", "7", "--key-file", "my.key"]) == 0
    assert main(["trace", "issued.png", "--key-file", "my.key"]) == 0
    capsys.readouterr()


def test_a_folder_in_the_environment_does_the_same(tmp_path, monkeypatch):
    (tmp_path / "scheme").mkdir()
    (tmp_path / "scheme" / "faint.yaml").write_text("_target_: watermark.schemes.dwt_dct.DwtDct\ntarget_psnr: 44\n")
    (tmp_path / "scheme" / "fainter.yaml").write_text("defaults:\n  - faint\n  - _self_\ntarget_psnr: 46\n")
    with pytest.raises(ValueError, match=r"no scheme named 'faint'; expected one of .*dwt_dct, "):
        Watermarker.load("faint", key=1)
    monkeypatch.setenv("WATERMARK_CONFIGS", str(tmp_path))
    assert Watermarker.load("faint", key=1).scheme.target_psnr == 44
    assert Watermarker.load("fainter", key=1).scheme.target_psnr == 46
    with pytest.raises(ValueError, match="no setting 'gain'; expected one of message_bits, step, target_psnr"):
        Watermarker.load("faint", key=1, gain=2)


def test_a_target_that_cannot_be_imported_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "scheme").mkdir()
    (tmp_path / "scheme" / "lost.yaml").write_text("_target_: nowhere.Lost\n")
    monkeypatch.setenv("WATERMARK_CONFIGS", str(tmp_path))
    with pytest.raises(ValueError, match=r"nowhere.Lost: expected a class or function that can be imported"):
        Watermarker.load("lost", key=1)


def test_a_package_without_its_folder_of_yaml_files_is_told_what_it_lacks(installed, caplog):
    """Setuptools leaves them out unless told."""
    assert "louder" in config_names("scheme")
    told = {record.args[0]: str(record.args[2]) for record in caplog.records if record.name == "watermark.config"}
    assert told["gone"] == "No module named 'no_such_package'"
    assert told["unpacked"].endswith("; their_marks is installed without that folder (were its YAML files packaged?)")
