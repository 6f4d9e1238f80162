"""An installed wheel works outside of the clone: configuration, weights and templates travel with it."""

import ast
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STUDIES = (
    "watermark/identity/studies/",
    "watermark/detection/measure.py",
    "watermark/detection/names.py",
    "watermark/report/picture.py",
)
"""Measured with from a clone, not installed."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel, unpacked into a folder of its own (its dependencies are those of the test environment)."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    released = {**os.environ, "GITHUB_REPOSITORY": "somebody/robust-watermark", "GITHUB_REF_NAME": "v1.2.3"}
    subprocess.run(build, cwd=ROOT, env=released, check=True, capture_output=True, text=True)
    (wheel,) = folder.glob("robust_watermark-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(installed, *words, cwd):
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    code = """
import sys, watermark
from watermark.cli import main
print(watermark.__file__, file=sys.stderr)
if __name__ == "__main__":
    sys.exit(main())
"""
    return subprocess.run(
        [sys.executable, "-c", code, *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def test_the_wheel_holds_every_configuration_weight_and_template(installed):
    inside = {path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file()}
    for path in (ROOT / "configs").rglob("*.yaml"):
        assert f"watermark/configs/{path.relative_to(ROOT / 'configs').as_posix()}" in inside
    for folder in ("watermark", "attacks"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".safetensors", ".j2", ".json", ".css", ".js", ".typed"}:
                name = path.relative_to(ROOT).as_posix()
                assert (name in inside) != name.startswith(STUDIES)
    assert {"watermark/py.typed", "attacks/py.typed"} <= inside  # or a type checker takes every name for Any


def test_the_package_s_page_has_no_link_that_works_in_the_clone_alone(installed):
    (facts,) = installed.glob("*.dist-info/METADATA")
    text = facts.read_text()
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    home = "https://github.com/somebody/robust-watermark"
    assert f"{home}/blob/v1.2.3/docs/index.md" in targets
    assert f"{home}/raw/v1.2.3/docs/assets/readme.webp" in targets
    assert [target for target in targets if not target.startswith("https://")] == []
    assert f"Project-URL: Repository, {home}" in text


def test_nothing_that_is_installed_imports_what_stays_in_the_clone(installed):
    left_out = [name.removesuffix(".py").rstrip("/").replace("/", ".") for name in STUDIES]
    for path in installed.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not [name for name in names if str(name).startswith(tuple(left_out))], path


@pytest.mark.slow
def test_the_main_job_runs_from_the_wheel_outside_of_the_clone(installed, tmp_path):
    words = ["evaluate", "scheme=dwt_dct", "suite=smoke", "data=synthetic", "data.count=2", "workers=1"]
    done = run(installed, *words, cwd=tmp_path)
    assert str(installed) in done.stderr
    assert done.returncode == 0, done.stderr
    (report,) = (tmp_path / "results" / "runs").glob("smoke-synthetic-*/report.html")
    assert str(report.relative_to(tmp_path)) in done.stdout
