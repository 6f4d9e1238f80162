"""The notebooks run from top to bottom on a CPU, keep their outputs, and use nothing private."""

import ast
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
nbformat = pytest.importorskip("nbformat", reason="needs the dev dependency nbformat")
nbclient = pytest.importorskip("nbclient", reason="needs the dev dependency nbclient")


def code_cells(path):
    return [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


def test_there_are_five():
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.parametrize("missing", [True, False])
def test_the_first_cell_installs_what_is_missing_from_the_clone_or_else_from_pypi(path, missing, tmp_path, monkeypatch):
    """``%pip`` is only asked, not run."""
    transform = pytest.importorskip("IPython.core.inputtransformer2").TransformerManager().transform_cell
    asked = []
    shell = SimpleNamespace(run_line_magic=lambda name, line: asked.append((name, line)))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None if missing else "found")
    for folder in (FOLDER, tmp_path):
        monkeypatch.chdir(folder)
        scope = {"get_ipython": lambda: shell}
        exec(transform(code_cells(path)[0].source), scope)
        asked.append(str(scope.get("source")))
    call = ("pip", 'install -q "{source}" matplotlib')
    assert asked == ([call, str(FOLDER.parent), call, "robust-watermark"] if missing else ["None", "None"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_kept_and_none_is_an_error(path):
    cells = code_cells(path)
    assert all(cell.execution_count for cell in cells)
    outputs = [output for cell in cells for output in cell.outputs]
    assert len(outputs) >= 3
    assert not [output for output in outputs if output.output_type == "error"]
    assert path.stat().st_size < 1_000_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_only_public_names_are_used(path):
    lines = "\n".join(cell.source for cell in code_cells(path)).splitlines()
    tree = ast.parse("\n".join(line for line in lines if not line.lstrip().startswith(("!", "%"))))
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom | ast.Import)]
    names = [part for node in imported for alias in node.names for part in alias.name.split(".")]
    names += [part for node in imported if isinstance(node, ast.ImportFrom) for part in (node.module or "").split(".")]
    assert not [name for name in names if name.startswith("_")]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_from_top_to_bottom(path, monkeypatch, tmp_path):
    """In a folder that is not the clone's, and where the command is not on the path."""
    monkeypatch.setenv("PATH", os.defpath)
    notebook = nbformat.read(path, 4)
    client = nbclient.NotebookClient(
        notebook, timeout=400, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
