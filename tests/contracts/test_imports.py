"""Who may import whom: the direction of dependencies, held by reading the source."""

import ast
import importlib
import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FORBIDDEN = {
    "attacks": ["watermark", "hydra", "omegaconf"],
    "watermark/schemes": ["attacks", "hydra", "watermark.cli", "watermark.codec", "watermark.detection"],
    "watermark/transforms": ["attacks", "hydra", "watermark.schemes", "watermark.codec", "watermark.cli"],
    "watermark/synchronization": ["attacks", "hydra", "watermark.schemes", "watermark.codec", "watermark.cli"],
    "watermark/codec": ["attacks", "hydra", "watermark.schemes", "watermark.detection", "watermark.cli"],
    "watermark/detection": ["attacks", "hydra", "watermark.schemes", "watermark.cli"],
    "watermark/metrics": ["attacks", "hydra", "watermark.schemes", "watermark.codec", "watermark.cli"],
    "watermark/report": ["attacks", "hydra", "torch", "watermark.schemes", "watermark.cli"],
    "watermark/evaluation": ["watermark.cli", "hydra.core"],
}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_dependencies_point_one_way(folder):
    files = list((ROOT / folder).rglob("*.py"))
    assert files
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files
        for name in imports(path)
        if any(name == banned or name.startswith(f"{banned}.") for banned in FORBIDDEN[folder])
    ]
    assert not wrong


def test_names_become_code_in_two_places_only():
    """``_target_`` is looked up by ``watermark.config``, ``trace --policy`` by its own word on the command line."""
    doors = {"instantiate", "resolve_name", "get_object", "get_class", "get_method"}
    users = [
        path.relative_to(ROOT).as_posix()
        for folder in ("watermark", "attacks")
        for path in (ROOT / folder).rglob("*.py")
        if doors & {getattr(n, "id", getattr(n, "attr", None)) for n in ast.walk(ast.parse(path.read_text()))}
    ]
    assert sorted(users) == ["watermark/config.py", "watermark/identity/policy.py"]


def test_help_needs_no_torch():
    import subprocess

    code = """
import importlib.util
import re
import sys
from watermark.cli import main
try:
    main(["--help"])
except SystemExit:
    print("torch" in sys.modules)
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines()[-1] == "False"


SCRIPTS = pytest.mark.parametrize("path", sorted((ROOT / "results").rglob("*.py")), ids=lambda path: path.name)


@SCRIPTS
def test_what_a_published_script_imports_of_ours_is_there(path):
    """They are run once a year: a name that moved would be found out then."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in {"watermark", "attacks"}:
            home = importlib.import_module(str(node.module))
            for name in node.names:
                assert hasattr(home, name.name) or importlib.util.find_spec(f"{node.module}.{name.name}")


def test_what_a_published_command_names_is_there():
    """Scripts, modules and verbs in the READMEs beside the figures."""
    from watermark.cli import HYDRA_VERBS, VERBS

    for page in sorted((ROOT / "results").rglob("README.md")):
        for block in page.read_text().split("```")[1::2]:
            for script in re.findall(r"python (\S+\.py)", block):
                assert (page.parent / script).is_file() or (ROOT / script).is_file(), f"{page}: {script}"
            for module in re.findall(r"python -m ((?:watermark|attacks)\S*)", block):
                assert importlib.util.find_spec(module), f"{page}: {module}"
            for verb in re.findall(r"\bwatermark ([a-z]+)(?= )", block):
                assert verb in {**VERBS, **HYDRA_VERBS}, f"{page}: watermark {verb}"


@SCRIPTS
def test_what_lies_beside_published_figures_uses_public_names_only(path):
    """Nor does it bend the import system: what it needs, an installed package has, or the folder beside it."""
    private = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            private += [name.name for name in node.names if name.name.startswith("_")]
        elif isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            owner = getattr(node.value, "id", None)
            private += [node.attr] * (owner != "self" and (owner, node.attr) != ("os", "_exit"))
    known = ["_engine"] if path.name == "registry.py" else []  # it times single queries, which no public call makes
    assert private == known
    assert not {"importlib", "importlib.util"} & set(imports(path))
