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
import io
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from cases import CASES, CODE, DESK, EVALUATE, KEY, MARK, PICTURES, hidden
from PIL import Image

import watermark.evaluation.run
import watermark.identity
import watermark.mark_file
import watermark.report
import watermark.training.loop  # noqa: F401 - what a fork should have loaded
from watermark.cli import main
from watermark.files.whole import YOUNG
from watermark.keystore import KeyFile


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
    (folder / "spread").mkdir()
    shutil.copy(folder / "in" / "0.png", folder / "spread" / "0.png")
    spread = ["embed", "spread", "spread", "--overwrite", "--provider", "7", "--preflight", "none", *KEY]
    runs = [[*EVALUATE, "name=run", "output=."]] if with_run else []
    for one in (words, ["embed", "in", "marked", "--provider", "7", *MARK], spread, *runs):
        assert finished(start(folder, one)) == 0, one


def start(folder: Path, words: list[str], told: Path = Path("told.txt"), user: int | None = None) -> int:
    """Run a command in a fork that leads a group of its own; what it says goes to ``told``."""
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        os.setsid()
        sys.modules["__main__"] = ModuleType("__main__")  # workers have nothing of this script to import
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
    done = reference / "done"
    if not (done.exists() and done.read_text()):  # a run that failed left the empty one of the inputs
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


def prepared(folder: Path, with_run: bool) -> Path:
    """The folder, whole path, with inputs in it."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "inputs" / "done").exists() or (with_run and not (folder / "inputs" / "run").exists()):
        shutil.rmtree(folder / "inputs", ignore_errors=True)
        inputs(folder / "inputs", with_run)
        (folder / "inputs" / "done").touch()
    return folder


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
    folder = prepared(arguments.folder, bool({"report", "remeasure", "compare"} & set(arguments.verbs)))
    log = folder / "kills.jsonl"
    for verb in arguments.verbs:
        measure(folder, verb, arguments.kills, log, arguments.seed)
    print(table(log))
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    return int(any(row["wrong"] or row["wrong_after"] or row["hidden_after"] for row in rows))


if __name__ == "__main__":
    raise SystemExit(run())
