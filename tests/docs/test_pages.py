"""README and docs say what is true: their Python runs, their commands parse, what they name is there."""

import argparse
import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from skimage import data

from watermark.cli import HYDRA_VERBS, VERBS
from watermark.config import config_names

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXT = {page.relative_to(ROOT).as_posix(): page.read_text() for page in PAGES}
PYTHON = {name: re.findall(r"(?<!-->\n)^```python\n(.*?)^```", text, re.S | re.M) for name, text in TEXT.items()}
SHELLS = {"", "bash", "console", "sh"}
PROCESSES = "docs/recipes/many.md"
"""Starts processes of its own, so it is run as a file."""
HARMLESS = (
    r"(?:export )?\w+=\S+ |cd |pip |uv |bash |torchrun |git |python |docker |curl |openssl |printf |cat |sbatch |ray "
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """What the pages call ``photo.png``, ``photos`` and ``reposted.jpg``, small; and what their recipes import."""
    Image.fromarray(data.coffee()).resize((450, 300)).save(tmp_path / "photo.png")
    (tmp_path / "photos").mkdir()
    for number in range(2):
        Image.fromarray(data.chelsea()[:128, 128 * number : 128 * number + 128]).save(tmp_path / f"photos/{number}.png")
    Image.open(tmp_path / "photo.png").crop((0, 0, 128, 128)).save(tmp_path / "reposted.jpg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT / "integrations" / "diffusers"))
    return tmp_path


def pipeline(*_, **__):
    """Stands for a pipeline of diffusers, whose own are tested in tests/integrations."""
    return SimpleNamespace(images=[Image.fromarray(data.coffee()).resize((450, 300))])


@pytest.mark.parametrize("name", [name for name, blocks in PYTHON.items() if blocks and name != "CONTRIBUTING.md"])
def test_the_examples_of_a_page_run(here, name):
    """From top to bottom, in one namespace; their own assertions say what is to come out."""
    if name == PROCESSES:
        Path("page.py").write_text("\n".join(PYTHON[name]))
        subprocess.run([sys.executable, "page.py"], check=True, capture_output=True, text=True)
        assert len(list(here.glob("marked_*.png"))) == 2
        return
    torch.manual_seed(0)
    scope = {"__name__": name, "pipeline": pipeline}
    for block in PYTHON[name]:
        exec(compile(block, name, "exec"), scope)


def commands():
    """Every line of a block of commands, and its page."""
    for name, text in TEXT.items():
        for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.S | re.M):
            for line in (block if language in SHELLS else "").replace("\\\n", " ").splitlines():
                yield name, line.split("  #")[0].strip().removeprefix("$ ")


def watermark_words():
    for name, line in commands():
        found = re.match(rf"(?:{HARMLESS})*?(?:uv run )?watermark (\S.*)", line)
        if found and not found[1].startswith("VERB"):
            yield pytest.param(shlex.split(found[1].split(" | ")[0].rstrip("&").strip()), id=f"{name}: {found[1][:60]}")


@pytest.mark.parametrize("words", list(watermark_words()))
def test_a_command_that_a_page_shows_is_one(words):
    verb, *rest = words
    if verb in HYDRA_VERBS:
        named = dict(word.split("=", 1) for word in rest if "=" in word and not word.startswith("-"))
        groups = [
            (named.get("suite"), "suite"),
            (named.get("layout"), "layout"),
            (named.get("experiment"), "experiment"),
        ]
        groups += [
            (one, "scheme") for one in re.split(r"[\[\],]", named.get("schemes") or named.get("scheme", "")) if one
        ]
        for value, group in groups:
            assert value is None or value in {*config_names(group), "my_scheme", "mine", "theirs", "NAME"}, (
                f"{group}={value}"
            )
        return
    assert verb in VERBS
    subparsers = argparse.ArgumentParser().add_subparsers()
    importlib.import_module(f"watermark.cli.{verb}").add_parser(subparsers)
    subparsers.choices[verb].parse_args(rest)  # SystemExit where an option is none


def test_every_page_has_an_example_that_is_run_or_a_command_that_is_checked():
    made = {"docs/reference/api.md", "docs/recipes/index.md", "CONTRIBUTING.md"}  # docstrings, run; links; templates
    shown = {parameter.id.split(": ")[0] for parameter in watermark_words()}
    assert {name for name in TEXT if not PYTHON[name]} - shown - made == set()


def test_the_readme_is_short_and_has_its_two_commands():
    lines = TEXT["README.md"].splitlines()
    assert len(lines) <= 100
    for command in ("pip install uv && uv run watermark evaluate", "pip install uv && uv run pytest"):
        assert any(line.split("  #")[0].strip() == command for line in lines)


def test_pages_link_to_files_that_are_there():
    """On the site ``mkdocs build --strict`` looks at them again, with their anchors."""
    missing = []
    for name, text in TEXT.items():
        for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", re.sub(r"```.*?```", "", text, flags=re.S)):
            if not re.match(r"[a-z]+:", target) and not ((ROOT / name).parent / target).exists():
                missing.append(f"{name}: {target}")
    assert not missing


def test_every_table_has_a_head_and_rows_of_its_width():
    """A renderer shows a table without its head as a paragraph of bars."""
    pages = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    wrong = []
    for page in pages.split():
        text = re.sub(
            r"^```.*?^```", lambda code: "\n" * code[0].count("\n"), (ROOT / page).read_text(), flags=re.S | re.M
        )
        cells = [len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0 for line in text.split("\n")]
        for number, line in enumerate(text.split("\n")):
            if re.fullmatch(r"\|(\s*:?-+:?\s*\|)+", line):
                end = next(i for i in range(number, len(cells)) if not cells[i])
                if number == 0 or any(count != cells[number] for count in cells[number - 1 : end]):
                    wrong.append(f"{page}:{number + 1}")
    assert not wrong
