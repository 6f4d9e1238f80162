"""The commands that are killed, and that meet full disks: what is typed, what they leave, and when that is whole."""

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from watermark import files
from watermark.errors import UserError
from watermark.evaluation.parts import read_table
from watermark.evaluation.records import arrow_schema
from watermark.keystore import KeyFile
from watermark.registry import Registry

CODE = "0011" + "0" * 18 + "10001"
SCHEME, PICTURES = "dwt_dct", 6
EVALUATE = ["evaluate", f"schemes=[{SCHEME}]", "suite=smoke", "data=synthetic", "data.count=3", "workers=1"]
EVALUATE += ["samples=1", "hydra.run.dir=hydra"]
TRAIN = ["train", "experiment=learned", "name=run", "output=runs", "start=null", "photos.side=96", "schedule.batch=1"]
TRAIN += ["schedule.steps=4", "schedule.save_seconds=0", "validation.limit=1", "hydra.run.dir=hydra"]


@dataclass(frozen=True)
class Case:
    """One command.

    Attributes:
        words: what is typed, in the folder of the case.
        made: files that the undisturbed run leaves and that must be equal, to the byte, after the healing run.
        whole: says what is wrong with a folder after a kill, one line each.
        statuses: of the healing run; 2 where a file that is there already is refused, as it should be.
    """

    words: list[str]
    made: tuple[str, ...] = ()
    whole: Callable[[Path, Path], list[str]] = lambda _folder, _reference: []
    statuses: tuple[int, ...] = (0,)


def pictures(folder: Path, reference: Path) -> list[str]:
    """Every visible picture is the reference's, or its own input where that was to be replaced."""
    wrong = []
    for path in visible(folder / "out"):
        if path.read_bytes() != (reference / "out" / path.name).read_bytes():
            wrong.append(f"{path.name}: not the picture that an undisturbed run writes")
    for path in visible(folder / "in"):
        content = path.read_bytes()
        if content not in (original(reference, path.name), (reference / "in" / path.name).read_bytes()):
            wrong.append(f"{path.name}: neither the input nor its marked copy")
    return wrong


def original(reference: Path, name: str) -> bytes:
    return (reference.parent / "inputs" / "in" / name).read_bytes()


def visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if not path.name.startswith(".")) if folder.is_dir() else []


def issued(folder: Path, _reference: Path) -> list[str]:
    """No marked file without a record, and the registry is whole."""
    key = KeyFile.load(folder / "key.json")
    registry = Registry(folder / "registry.db", key.registry_key)
    wrong = [f"registry: {line}" for line in registry.verify(full=True).problems]
    hashes = {json.loads(body)["released_sha256"] for body in bodies(folder)}
    for path in [*visible(folder / "out"), *hidden(folder)]:
        content = path.read_bytes()
        try:
            files.decode(content, path)
        except UserError:
            if not path.name.startswith("."):
                wrong.append(f"{path.name}: half a picture")
            continue  # room that was taken on the disk, nothing in it
        if hashlib.sha256(content).hexdigest() not in hashes:
            wrong.append(f"{path.name}: no record of it")
    registry.close()
    return wrong


def hidden(folder: Path) -> list[Path]:
    return [path for path in folder.rglob(".*") if path.is_file()] + list(folder.rglob("*.writing"))


def bodies(folder: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(folder / "registry.db")) as connection:
        return [row[0] for row in connection.execute("SELECT body FROM records WHERE kind = 'issue'")]


def registry_whole(folder: Path, _reference: Path) -> list[str]:
    key = KeyFile.load(folder / "key.json")
    registry = Registry(folder / "registry.db", key.registry_key)
    problems = registry.verify(full=True).problems
    registry.close()
    return problems


def json_files(folder: Path, _reference: Path) -> list[str]:
    """Every JSON file and table that has its name is whole."""
    wrong = []
    for path in folder.rglob("*"):
        if path.name.startswith(".") or not path.is_file():
            continue
        try:
            if path.suffix == ".json" and path.name != "key.json":
                json.loads(path.read_text())
            if path.name.endswith("rows.parquet"):
                read_table(path, arrow_schema())
            if path.name == "report.html" and not path.read_text().rstrip().endswith("</html>"):
                wrong.append(f"{path}: cut off")
            if path.suffix == ".pt":
                torch.load(path, weights_only=True)
            if path.suffix in (".webp", ".png"):
                files.load(path)
        except Exception as error:
            wrong.append(f"{path.name}: {error}")
    return wrong


def pages(folder: Path, _reference: Path) -> list[str]:
    return [f"{path.name}: cut off" for path in folder.glob("*.html") if "</html>" not in path.read_text()[-20:]]


def key_file(folder: Path, _reference: Path) -> list[str]:
    path = folder / "new.json"
    try:
        KeyFile.load(path) if path.exists() else None
    except UserError as error:
        return [str(error)]
    return []


KEY = ["--key-file", "key.json"]
DESK = ["--registry", "registry.db", *KEY]
MARK = ["--scheme", SCHEME, "--preflight", "none", *KEY]
FORGERY = ["--surrogate-steps", "0", "--output", "f"]
TABLES = ("rows.parquet", "manifest.json")
RUN = tuple(f"runs/run/{name}" for name in TABLES)
CASES = {
    "embed": Case(["embed", "in", "out", "--provider", "7", "--content", "9", *MARK], ("out",), pictures, (0, 2)),
    "embed in place": Case(
        ["embed", "in", "in", "--overwrite", "--provider", "7", "--content", "9", *MARK], (), pictures
    ),
    "detect": Case(["detect", "marked", "--scheme", SCHEME, "--json", *KEY], ("marked",)),
    "issue": Case(["issue", "in/0.png", "out/0.jpg", "--provider", "7", "--quality", "90", *DESK], (), issued, (0, 2)),
    "trace": Case(["trace", "marked/0.png", "--output", "evidence.json", *DESK], ("marked",), json_files, (1, 2)),
    "key new": Case(["key", "new", "new.json"], (), key_file, (0, 2)),
    "registry verify": Case(["registry", "verify", "--full", *DESK], (), registry_whole),
    "registry reserve": Case(["registry", "reserve", "7", "3", *DESK], (), registry_whole),
    "evaluate": Case([*EVALUATE, "name=run", "output=runs"], RUN, json_files),
    "report": Case(["report", "run"], ("run/report.json", "run/rows.parquet", "run/table.md"), json_files),
    "remeasure": Case(["remeasure", "run", "--cells", "2", "--seed", "1"], ("run",)),
    "compare": Case(["compare", "run", "run"], ("run",)),
    "bench": Case(
        ["bench", "--schemes", SCHEME, "--sizes", "128", "--batches", "1", "--output", "bench"], (), json_files
    ),
    "forgery": Case(
        ["forgery", "in", "--schemes", SCHEME, "--side", "96", "--images", "4", "--targets", "1", *FORGERY],
        (),
        json_files,
    ),
    "torture": Case(
        ["torture", "marked/0.png", "--scheme", SCHEME, "--suite", "smoke", "--output", "t.html", "--overwrite", *KEY],
        (),
        pages,
    ),
    "locate": Case(["locate", "spread", "--output", "map.png", "--overwrite", *KEY], ("map.png",), json_files),
    "attacks show": Case(
        ["attacks", "show", "in/0.png", "--suite", "smoke", "--max-side", "96", "--output", "s.png", "--overwrite"],
        ("s.png",),
    ),
    "registry add-slot": Case(["registry", "add-slot", "8", "--code", CODE, *DESK], (), registry_whole, (0, 2)),
    "registry purge": Case(["registry", "purge", *DESK], (), registry_whole),
    "train": Case(TRAIN, ("runs/run/last.pt",), json_files),
}
