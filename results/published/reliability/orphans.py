# ruff: noqa: T201 - a script prints
"""kill -9 of a command that has workers, at random moments: do its workers end, and does the same command go on?

    OMP_NUM_THREADS=1 python results/published/reliability/orphans.py FOLDER --kills 5 [--verbs evaluate serve]

``evaluate``, ``pipeline embed`` and ``serve`` each start two processes; ``serve`` is asked about pictures meanwhile. Only
the process that was started is killed, once it and its children have used a share, drawn evenly, of the processor time of
an undisturbed run (of ``serve``: of a start and three answers). Then it is counted whether any of its session is alive
after 60 s, what is left is looked at, and the same command runs again to its end (``serve``: until it answers). Rows are
appended to FOLDER/orphans.jsonl; kills that are there are left out. Linux.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import tarfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from cases import DESK, EVALUATE, bodies, hidden, json_files, registry_whole
from kills import finished, prepared, start

from watermark import files

PATIENCE, TICK = 60.0, 1 / os.sysconf("SC_CLK_TCK")
PIPELINE = [
    "pipeline",
    "embed",
    "in",
    "piped",
    "--provider",
    "7",
    "--engine",
    "processes",
    "--workers",
    "2",
    "--visible",
    "elsewhere",
]


@dataclass(frozen=True)
class Case:
    """One command: what is typed, and what is wrong with its folder, one line each."""

    words: list[str]
    whole: Callable[[Path], list[str]]
    serves: bool = False


def piped(folder: Path) -> list[str]:
    """Every tar that has its name is whole, and no picture in one is without its record."""
    wrong = registry_whole(folder, folder)
    hashes = {json.loads(body)["released_sha256"] for body in bodies(folder)}
    for path in (folder / "piped").glob("*.tar") if (folder / "piped").exists() else ():
        try:
            with tarfile.open(path) as archive:
                for member in archive:
                    content = archive.extractfile(member).read()
                    files.decode(content, member.name)
                    if hashlib.sha256(content).hexdigest() not in hashes:
                        wrong.append(f"{path.name}: {member.name}: no record of it")
        except Exception as error:
            wrong.append(f"{path.name}: {error}")
    return wrong


def served(folder: Path) -> list[str]:
    """The registry is whole, and so is every line of the journal."""
    wrong = registry_whole(folder, folder)
    for path in (folder / "journal").glob("*.jsonl") if (folder / "journal").exists() else ():
        for line in path.read_text().splitlines():
            try:
                json.loads(line)
            except ValueError:
                wrong.append(f"{path.name}: half a line")
    return wrong


def free_port() -> str:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


CASES = {
    "evaluate": Case(
        [*[word for word in EVALUATE if not word.startswith("workers=")], "workers=2", "name=run", "output=runs"],
        lambda folder: json_files(folder, folder),
    ),
    "pipeline": Case([*PIPELINE, "--shard-size", "1", *DESK], piped),
    "serve": Case(["serve", *DESK, "--workers", "2", "--journal", "journal", "--port"], served, serves=True),
}


def session(leader: int) -> dict[int, float]:
    """Living processes of a session and the processor seconds that each has used."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            words = stat.read_text().rpartition(")")[2].split()
            if int(words[3]) == leader and words[0] != "Z":
                found[int(stat.parent.name)] = (int(words[11]) + int(words[12])) * TICK
    return found


def ask(port: str, content: bytes) -> bool:
    """Whether the service says something about a picture."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/detect", content, {"Content-Type": "image/png"})
    with suppress(OSError), urllib.request.urlopen(request, timeout=60) as answer:
        return answer.status == 200
    return False


def until_answered(pid: int, port: str, picture: bytes, answers: int) -> bool:
    """Ask until so many answers came; False if the service ended before."""
    while answers:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return False
        answers -= ask(port, picture)
        time.sleep(0.1)
    return True


def end(pid: int, number: int = signal.SIGTERM) -> int:
    os.kill(pid, number)
    return finished(pid)


def undisturbed(folder: Path, case: Case) -> float:
    """Processor seconds of the whole session; of a service until it has answered three times."""
    shutil.copytree(folder / "inputs", folder / "work")
    port = free_port()
    pid = start(folder / "work", [*case.words, *[port] * case.serves])
    used: dict[int, float] = {}
    asked = not case.serves or until_answered(pid, port, (folder / "inputs" / "marked" / "0.png").read_bytes(), 3)
    used |= session(pid)
    while not case.serves and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        used |= session(pid)
        time.sleep(0.1)
    status = end(pid) if case.serves else finished(pid)
    assert asked
    assert status in (0, 143, -signal.SIGTERM), (status, (folder / "work" / "told.txt").read_text()[-500:])
    return sum(used.values())


def kill(folder: Path, case: Case, moment: float) -> dict:
    """One kill, and what came of it."""
    shutil.rmtree(folder / "work", ignore_errors=True)
    work = Path(shutil.copytree(folder / "inputs", folder / "work"))
    port, picture = free_port(), (work / "marked" / "0.png").read_bytes()
    words = [*case.words, *[port] * case.serves]
    pid, used = start(work, words), {}
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        used |= session(pid)
        if sum(used.values()) >= moment:
            break
        if case.serves and len(used) > 1:
            ask(port, picture)
        time.sleep(0.1)
    alive = session(pid)
    with suppress(OSError):
        os.kill(pid, signal.SIGKILL)
    was_killed = finished(pid) == -signal.SIGKILL
    began = time.monotonic()
    while session(pid) and time.monotonic() - began < PATIENCE:
        time.sleep(0.1)
    ended, left = time.monotonic() - began, session(pid)
    for one in left:
        os.kill(one, signal.SIGKILL)
    wrong = case.whole(work)
    pid = start(work, words)
    if case.serves:
        healed = [] if until_answered(pid, port, picture, 1) else ["no answer after a restart"]
        end(pid)
    else:
        status = finished(pid)
        healed = [] if status == 0 else [f"status {status}: {(work / 'told.txt').read_text()[-300:]}"]
    healed += case.whole(work) + [
        str(path.name) for path in hidden(work) if not path.name.startswith((".lock", ".hydra"))
    ]
    return {
        "killed": was_killed,
        "processes": len(alive),
        "left": len(left),
        "seconds": round(ended, 2),
        "wrong": wrong,
        "wrong_after": healed,
    }


def table(rows: list[dict]) -> str:
    """Markdown."""
    lines = [
        "| command | kills | with workers alive | workers left after 60 s | slowest end | wrong then | wrong after the next run |"
    ]
    lines.append("|---" * 7 + "|")
    for verb in dict.fromkeys(row["verb"] for row in rows):
        mine = [row for row in rows if row["verb"] == verb and row["killed"]]
        counts = [sum(row["processes"] > 1 for row in mine), sum(row["left"] for row in mine)]
        wrong = [sum(bool(row[name]) for row in mine) for name in ("wrong", "wrong_after")]
        slowest = max((row["seconds"] for row in mine), default=0.0)
        lines.append(f"| {' | '.join(map(str, (verb, len(mine), *counts, f'{slowest:.1f} s', *wrong)))} |")
    return "\n".join(lines) + "\n"


def run() -> int:
    """Exit status 1 where anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--verbs", nargs="+", choices=CASES, default=list(CASES))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    folder = prepared(arguments.folder, with_run=False)
    log = folder / "orphans.jsonl"
    rows = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    for verb in arguments.verbs:
        mine, seconds = [row for row in rows if row["verb"] == verb], None
        for number in range(len(mine), 3 * arguments.kills):
            if sum(row["killed"] for row in rows if row["verb"] == verb) >= arguments.kills:
                break
            shutil.rmtree(folder / "work", ignore_errors=True)
            seconds = undisturbed(folder, CASES[verb]) if seconds is None else seconds
            moment = random.Random(f"{verb} {number}").uniform(0, seconds)
            rows.append(
                {"verb": verb, "moment": round(moment, 2), "of": round(seconds, 2), **kill(folder, CASES[verb], moment)}
            )
            with log.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
            print(rows[-1], flush=True)
    print(table(rows))
    return int(any(row["left"] or row["wrong"] or row["wrong_after"] for row in rows))


if __name__ == "__main__":
    raise SystemExit(run())
