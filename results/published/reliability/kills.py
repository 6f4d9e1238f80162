# ruff: noqa: T201 - a script prints
"""kill -9 of every command at random moments: what is lost, what is left, and whether the same command heals it.

    python results/published/reliability/kills.py FOLDER --kills 20
    python results/published/reliability/kills.py FOLDER --kills 3 --verbs embed issue

One undisturbed run of each command is the reference and says how much processor time it takes, whatever the machine does
beside it. Then the command is started anew on a fresh copy of its inputs, killed when it has used a share of that time that
is drawn evenly, and up to 20 ms later, so that waits for the disk are met too; it is looked at, run again to its end, and
compared with the reference. A command that was done before its moment came counts as a run and not as a kill. The commands
run in forks of one process that has the libraries loaded, so that the moments fall into the work and not into the start.
Rows are appended to FOLDER/kills.jsonl; kills that are there are left out.
"""

import argparse
import contextlib
import hashlib
import io
import json
import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import watermark.evaluation.run
import watermark.identity
import watermark.mark_file
import watermark.report
import watermark.training.loop  # noqa: F401 - what a fork should have loaded
from watermark import files
from watermark.cli import main
from watermark.errors import UserError
from watermark.evaluation.parts import read_table
from watermark.evaluation.records import arrow_schema
from watermark.files.whole import YOUNG
from watermark.keystore import KeyFile
from watermark.registry import Registry

CODE = "0011" + "0" * 18 + "10001"
SCHEME, PICTURES = "dwt_dct", 6
EVALUATE = ["evaluate", f"schemes=[{SCHEME}]", "suite=smoke", "data=synthetic", "data.count=3", "workers=1"]
EVALUATE += ["samples=1", "hydra.run.dir=hydra"]
TRAIN = ["train", "experiment=learned", "name=run", "output=runs", "start=null", "photos.side=96", "schedule.batch=1"]
TRAIN += ["schedule.steps=6", "schedule.save_seconds=0", "validation.limit=1", "hydra.run.dir=hydra"]


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
            if path.suffix == ".webp":
                files.load(path)
        except Exception as error:
            wrong.append(f"{path.name}: {error}")
    return wrong


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
    "train": Case(TRAIN, ("runs/run/last.pt",), json_files),
}


def inputs(folder: Path, with_run: bool) -> None:
    """What the commands begin with: pictures, marked ones, a key, a registry and, for some, a finished run."""
    (folder / "in").mkdir(parents=True)
    y, x = np.mgrid[0:192, 0:224]
    rng = np.random.default_rng(0)
    for n in range(PICTURES):
        waves = np.stack([127 + 50 * np.sin(x / (9 + n) + c) + 40 * np.cos(y / (5 + c)) for c in range(3)], -1)
        pixels = (waves + rng.normal(0, 9, waves.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "in" / f"{n}.png")
    KeyFile.new().save(folder / "key.json")
    words = ["registry", "add-slot", "7", "--code", CODE, "--scheme", "tile_spread", *DESK]
    runs = [[*EVALUATE, "name=run", "output=."]] if with_run else []
    for one in (words, ["embed", "in", "marked", "--provider", "7", *MARK], *runs):
        assert finished(start(folder, one)) == 0, one


def start(folder: Path, words: list[str], told: Path = Path("told.txt"), user: int | None = None) -> int:
    """Run a command in a fork that leads a group of its own; what it says goes to ``told``."""
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        os.setsid()
        os.chdir(folder)
        with told.open("w") as said, contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            os.setuid(os.getuid() if user is None else user)
            status = main(words)
    except SystemExit as stopped:
        status = stopped.code if isinstance(stopped.code, int) else 2
    finally:
        os._exit(status)


def killed(pid: int, processor_seconds: float, and_then: float) -> bool:
    """Kill it once it has used that much; whether it was still at work. Linux: the clock of a process by its number."""
    with contextlib.suppress(OSError):  # it has ended
        while time.clock_gettime(~pid << 3 | 2) < processor_seconds and _runs(pid):
            time.sleep(0.001)
        time.sleep(and_then)
        os.kill(pid, signal.SIGKILL)
    return finished(pid) == -signal.SIGKILL


def _runs(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def finished(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def hidden(folder: Path) -> list[Path]:
    return [path for path in folder.rglob(".*") if path.is_file()] + list(folder.rglob("*.writing"))


def contents(folder: Path, made: tuple[str, ...]) -> dict[str, bytes]:
    """What the case promises to be equal."""
    found = {}
    for name in made:
        place = folder / name
        paths = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
        for path in paths:
            if not path.name.startswith("."):
                found[str(path.relative_to(folder))] = plain(path)
    return found


def plain(path: Path) -> bytes:
    """A file's content, without the clocks that it holds."""
    if path.suffix == ".pt":
        buffer = io.BytesIO()
        state = torch.load(path, weights_only=True)
        torch.save({"step": state["step"], "values": state.get("model", state.get("values"))}, buffer)
        return buffer.getvalue()
    if path.name in ("manifest.json", "progress.json", "report.json"):
        content = json.loads(path.read_text())
        for name in ("wall_seconds", "wall_seconds_of_last_call", "date", "cost", "provenance", "units_of_last_call"):
            content.pop(name, None)
        return json.dumps(content).encode()
    return path.read_bytes()


def measure(folder: Path, verb: str, kills: int, log: Path, seed: int) -> None:
    """The kills of one command that are not in the log yet."""
    case, reference = CASES[verb], folder / f"{verb} undisturbed"
    if not (reference / "done").exists():
        shutil.rmtree(reference, ignore_errors=True)
        shutil.copytree(folder / "inputs", reference)
        before = os.times().children_user + os.times().children_system
        status = finished(start(reference, case.words))
        assert status in case.statuses, f"{verb}: {status}: {(reference / 'told.txt').read_text()[-500:]}"
        (reference / "done").write_text(str(os.times().children_user + os.times().children_system - before))
    duration = float((reference / "done").read_text())
    rows = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    tried, hits = (sum(row["verb"] == verb and row["killed"] >= least for row in rows) for least in (0, 1))
    for number in range(tried, 5 * kills):
        if hits >= kills:
            break
        work = folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(folder / "inputs", work)
        draw = random.Random(f"{seed} {verb} {number}")
        moment = draw.uniform(0, duration)
        was_killed = killed(start(work, case.words), moment, draw.uniform(0, 0.02))
        hits += was_killed
        left = hidden(work)
        wrong = case.whole(work, reference)
        time.sleep(YOUNG)  # an empty hidden file may be another process's for so long
        status = finished(start(work, case.words))
        healed = case.whole(work, reference)
        if status not in case.statuses:
            healed.append(f"status {status}: {(work / 'told.txt').read_text()[-300:]}")
        expected, found = contents(reference, case.made), contents(work, case.made)
        healed += [f"{name}: differs after the second run" for name in expected if found.get(name) != expected[name]]
        row = {
            "verb": verb,
            "moment": round(moment, 3),
            "of": round(duration, 3),
            "killed": was_killed,
            "hidden": len(left),
            "wrong": wrong,
            "hidden_after": len(hidden(work)),
            "wrong_after": healed,
        }
        with log.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row, flush=True)


def table(log: Path) -> str:
    """Markdown: what the kills of each command came to."""
    lines = [
        "| command | runs | killed while they worked | hidden files left | wrong then | hidden after the next run | wrong then |"
    ]
    lines.append("|---" * 7 + "|")
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    for verb in dict.fromkeys(row["verb"] for row in rows):
        mine = [row for row in rows if row["verb"] == verb]
        sums = [sum(row[name] for row in mine) for name in ("killed", "hidden")]
        after = [sum(row["hidden_after"] for row in mine), sum(bool(row["wrong_after"]) for row in mine)]
        cells = [verb, len(mine), *sums, sum(bool(row["wrong"]) for row in mine), *after]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


def run() -> int:
    """Exit status 1 where anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--verbs", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "kills.jsonl"
    with_run = bool({"report", "remeasure", "compare"} & set(arguments.verbs))
    if not (folder / "inputs" / "done").exists() or (with_run and not (folder / "inputs" / "run").exists()):
        shutil.rmtree(folder / "inputs", ignore_errors=True)
        inputs(folder / "inputs", with_run)
        (folder / "inputs" / "done").touch()
    for verb in arguments.verbs:
        measure(folder, verb, arguments.kills, log, arguments.seed)
    print(table(log))
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    return int(any(row["wrong"] or row["wrong_after"] or row["hidden_after"] for row in rows))


if __name__ == "__main__":
    raise SystemExit(run())
