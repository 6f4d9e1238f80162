"""Who may import whom: the direction of dependencies, held by reading the source."""

import ast
import importlib
import importlib.util
import re
import sys
from pathlib import Path

import pytest

from watermark.evaluation.code_hash import CODE

ROOT = Path(__file__).resolve().parents[2]

FLOORS = (
    "attacks errors images json_schema keys lifeline shown",
    "codec config,hydra_search files metrics transforms",
    "detection keystore labels pixels synchronization",
    "data registry schemes",
    "catalogue localization strips training",
    "reader",
    "depth,watermarker keyring",
    "evaluation mark_file",
    "identity report",
    "demo doctor pipeline service study",
    "cli",
    "__main__",
)
"""The rooms of ``watermark`` and, for it is a world of its own, ``attacks``; nothing looks at its own floor or up.

A room is a package or a module. Rooms that are joined by a comma are one.
"""

CORE = ("codec", "detection", "metrics", "schemes", "synchronization", "transforms")
ABSTAIN = {
    "attacks": {"watermark", "hydra", "omegaconf"},
    "report": {"attacks", "hydra", "torch"},
    **{room: {"attacks", "hydra"} for room in CORE},
    **{room: {"hydra"} for room in ("files", "registry", "evaluation", "identity", "pipeline", "service")},
}
"""What the floors allow, or do not know, and a room has no business with all the same; ``report`` builds
its page without torch."""


def imports(path):
    """Dotted names, those for the type checker alone left out: nothing runs them."""
    pending = [ast.parse(path.read_text())]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and getattr(node.test, "id", None) == "TYPE_CHECKING":
            pending += node.orelse
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            whole = node.module == "watermark"  # ``from watermark import files``
            yield from (f"watermark.{alias.name}" for alias in node.names) if whole else (str(node.module),)
        pending += ast.iter_child_nodes(node)


def room_of(name):
    """``files`` for ``watermark.files.exif``, ``attacks`` for ``attacks.jpeg``, ``torch`` for ``torch.nn``."""
    first, _, rest = name.partition(".")
    return rest.partition(".")[0] if first == "watermark" and rest else first


def room_files():
    for path in [*(ROOT / "watermark").rglob("*.py"), *(ROOT / "attacks").rglob("*.py")]:
        inside = path.relative_to(ROOT)
        name = ".".join(inside.with_suffix("").parts).removesuffix(".__init__")
        if name != "watermark":  # the package itself imports nothing until it is asked
            yield inside, room_of(name), sorted(set(imports(path)))


def test_nothing_looks_up():
    floor = {
        room: (level, joined)
        for level, names in enumerate(FLOORS)
        for joined in names.split()
        for room in joined.split(",")
    }
    files = list(room_files())
    assert not {room for _, room, _ in files} - set(floor), "say in FLOORS on which floor the new room is"
    upwards = [
        f"{path} imports {name}"
        for path, room, names in files
        for name in names
        if (other := room_of(name)) in floor and floor[other][1] != floor[room][1] and floor[other][0] >= floor[room][0]
    ]
    assert not upwards


@pytest.mark.parametrize("room", ABSTAIN)
def test_some_things_are_no_business_of_a_room(room):
    files = [(path, names) for path, own, names in room_files() if own == room]
    assert files
    assert not [
        f"{path} imports {name}" for path, names in files for name in names if name.split(".")[0] in ABSTAIN[room]
    ]


def reached(name):
    """``name`` and every module of ours that it imports, and those import, lazily or not."""
    seen, pending = set(), [name]
    while pending:
        module = pending.pop()
        spec = importlib.util.find_spec(module)
        path = Path(spec.origin)
        if path in seen:
            continue
        seen.add(path)
        for other in imports(path):
            if other.startswith("watermark."):
                pending.append(other)
    return seen


def test_whatever_a_row_comes_from_is_in_the_name_of_its_run():
    """Else a run would go on with other code, and its folder would hold rows of both."""
    package = ROOT / "watermark"
    covered = {
        file
        for part in CODE
        for file in ((package / part).rglob("*.py") if (package / part).is_dir() else [package / part])
    }
    spared = {"errors.py", "shown.py", "evaluation/memory.py"}  # how something is said, and what it cost
    spared |= {"hydra_search.py"}  # what it composes is the configuration, which counts itself
    left = {path.relative_to(package).as_posix() for path in reached("watermark.evaluation.cells") - covered}
    assert left - {"evaluation/__init__.py", "metrics/__init__.py", "__init__.py"} == spared
    assert not [path for path in covered if not path.is_file()]


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
