"""One style of percentages everywhere: ``34 %``, never ``34%``."""

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for room in ("watermark", "attacks", "integrations") for path in (ROOT / room).rglob("*.py"))
TEXTS = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")]
TEXTS += [path for room in ("docs", "results", "watermark", "configs") for path in (ROOT / room).rglob("*.md")]
TEXTS += (ROOT / "configs").rglob("*.yaml")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TIGHT = re.compile(r"\d%(?![0-9A-Fa-f]{2}|[;\"')])")
"""A number with its sign beside it; not an address (``%20``) and not a style sheet (``width:50%;``)."""


def tight_in(tree):
    """Lines of a syntax tree that print a percentage without a space."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            spec = "".join(part.value for part in node.format_spec.values if isinstance(part, ast.Constant))
            if spec.endswith("%"):
                yield node.lineno
        if isinstance(node, ast.JoinedStr):
            for value, after in zip(node.values, node.values[1:], strict=False):
                number = isinstance(value, ast.FormattedValue) and getattr(value.value, "id", "") != "THIN_SPACE"
                if number and isinstance(after, ast.Constant) and re.match(r"%(?![;\"'])", after.value):
                    yield node.lineno
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and TIGHT.search(node.value):
            yield node.lineno


def test_the_search_finds_what_it_should():
    found = 'f"{x:.0%}"', 'f"{x:.0f}%"', '"34% of all"'
    assert all(list(tight_in(ast.parse(source))) for source in found)
    assert not list(tight_in(ast.parse('f"{x:.0f} %", "a%20b", "%d" % 3, f"{x:.{n}f} %"')))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_programs_print_a_space_before_the_sign(path):
    assert list(tight_in(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize("path", sorted(TEXTS), ids=lambda path: str(path.relative_to(ROOT)))
def test_texts_have_a_space_before_the_sign(path):
    assert [line for line in path.read_text(encoding="utf-8").splitlines() if TIGHT.search(line)] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_have_a_space_before_the_sign(path):
    cells = json.loads(path.read_text())["cells"]
    sources = ["".join(cell["source"]) for cell in cells]
    told = [text for cell in cells for out in cell.get("outputs", ()) for text in out.get("text", ())]
    assert not [text for text in (*sources, *told) if TIGHT.search(text) or re.search(r":[+.0-9]*%}", text)]
