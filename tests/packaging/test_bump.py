"""One command sets the version in the three files where it stands, or in none."""

import re
import runpy
import shutil
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = ("pyproject.toml", "CITATION.cff", "CHANGELOG.md")
bump = runpy.run_path(str(ROOT / ".ci" / "bump"))["main"]


@pytest.fixture
def clone(tmp_path):
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_the_version_is_set_everywhere(clone, capsys):
    assert bump(["9.0.0"], clone, "2030-01-02") == 0
    assert tomllib.loads((clone / "pyproject.toml").read_text())["project"]["version"] == "9.0.0"
    assert "version: 9.0.0\ndate-released: 2030-01-02\n" in (clone / "CITATION.cff").read_text()
    assert "\n## 9.0.0 (2030-01-02)\n" in (clone / "CHANGELOG.md").read_text()
    assert "git tag v9.0.0" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["0.0.1"], ["v9.0.0"], ["9.0"], ["9.0.0", "9.0.1"]])
def test_anything_else_changes_nothing(clone, words, capsys):
    before = [(clone / name).read_text() for name in FILES]
    assert bump(words, clone) == 2
    assert [(clone / name).read_text() for name in FILES] == before
    assert capsys.readouterr().err.startswith("bump: expected ")


def test_all_three_say_the_same_today():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert re.search(r"^## (\S+) ", (ROOT / "CHANGELOG.md").read_text(), re.M)[1] == version
