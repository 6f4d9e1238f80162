"""Answers go where the standard output leads; a bar on the terminal takes none of them along."""

import ast
import io
import os
import pty
import sys
from pathlib import Path

import pytest

from watermark.cli import progress

CLI = Path(progress.__file__).parent
END = "<end>"


@pytest.fixture
def terminal(monkeypatch):
    """Makes the standard error a terminal of 80 columns; gives what was written to it."""
    main, side = pty.openpty()
    with os.fdopen(side, "w") as file:

        def told():
            file.write(END)
            file.flush()
            found = b""
            while not found.endswith(END.encode()):  # what was written to a terminal comes out of it piece by piece
                found += os.read(main, 1 << 20)
            return found.decode().removesuffix(END)

        yield lambda: (monkeypatch.setattr(sys, "stderr", file), told)[1]
    os.close(main)


def test_answers_that_go_to_a_file_are_in_that_file(terminal, monkeypatch):
    told = terminal()
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    for name in progress.followed(["a", "b"], "Detecting", 2):
        sys.stdout.write(f"{name}: marked\n")
    assert sys.stdout.getvalue() == "a: marked\nb: marked\n"
    bar = told()
    assert "2/2" in bar
    assert "marked" not in bar


def test_answers_on_the_terminal_stand_above_the_bar_and_long_ones_are_not_broken(terminal, monkeypatch):
    told = terminal()
    monkeypatch.setattr(sys, "stdout", sys.stderr)
    for _ in progress.followed([1, 2], "Detecting", 2):
        sys.stdout.write("x" * 200 + "\n")
    assert "x" * 200 in told()


def test_one_picture_or_no_terminal_has_no_bar(terminal, monkeypatch):
    terminal()
    assert list(progress.followed([1], "Detecting", 1)) == [1]
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert list(progress.followed([1, 2], "Detecting", 2)) == [1, 2]
    assert sys.stderr.getvalue() == ""


@pytest.mark.parametrize("path", sorted(CLI.glob("*.py")), ids=lambda path: path.stem)
def test_no_other_place_makes_a_bar(path):
    named = {
        alias.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "rich.progress"
        for alias in node.names
    }
    assert path.stem == "progress" or not named & {"Progress", "track"}
