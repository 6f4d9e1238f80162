# ruff: noqa: T201 - a script prints
"""Every command on a disk that may not be written, and on one that fills up. Linux, as root (it mounts tmpfs).

    OMP_NUM_THREADS=1 python results/published/reliability/disks.py FOLDER [--verbs embed issue]

Each command of ``kills.py`` runs on a disk of its own: mounted read-only; belonging to another user; with none, 30, 60 and
90 % of the room that its files take. Expected is status 2 and one line, no hidden file, nothing half; commands that
write nothing answer as ever. (That other user must be able to read this Python.) Then the disk is made writable and large enough, the same command runs again, and what it
leaves is compared with an undisturbed run. Rows are appended to FOLDER/disks.jsonl.
"""

import argparse
import codecs
import contextlib
import json
import logging.config  # noqa: F401 - what another user may not be able to import
import os
import shutil
import subprocess
import time
from pathlib import Path

import torch
from cases import CASES, PICTURES, hidden
from kills import contents, finished, prepared, start

ROOM = (0.0, 0.3, 0.6, 0.9)
DISKS = ("read-only", "not permitted", *ROOM)
WRITE_NOTHING = ("detect", "remeasure", "compare", "registry verify", "registry purge")
NOBODY, PAGE = 65534, 4096


def size(folder: Path) -> int:
    """Bytes on a disk of 4 KiB pages."""
    return sum(-(-path.stat().st_size // PAGE) * PAGE for path in folder.rglob("*") if path.is_file())


@contextlib.contextmanager
def disk(place: Path, begin: Path):
    """A tmpfs with a copy of the inputs."""
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "none", place], check=True)
    try:
        shutil.copytree(begin, place / "case")
        yield place / "case"
    finally:
        for _ in range(100):
            if subprocess.run(["umount", place], check=False, capture_output=True).returncode == 0:
                break
            time.sleep(0.1)
        else:
            raise AssertionError("a process still uses the disk 10 s after its command ended")


def remount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", place], check=True)


def spoil(kind: str | float, place: Path, case: Path, needed: int) -> None:
    """Make the disk what the row says."""
    if kind == "read-only":
        remount(place, "ro")
    elif kind == "not permitted":
        os.chown(case / "key.json", NOBODY, NOBODY)
    else:
        facts = os.statvfs(place)
        used = (facts.f_blocks - facts.f_bfree) * facts.f_frsize
        remount(place, f"size={used + int(kind * needed) // PAGE * PAGE}")


def measure(folder: Path, verb: str, kind: str | float) -> dict:
    """One command on one disk; what is wrong, in words."""
    case, reference = CASES[verb], folder / f"{verb} undisturbed"
    told = folder / "told.txt"
    if not (reference / "done").exists():
        shutil.rmtree(reference, ignore_errors=True)
        shutil.copytree(folder / "inputs", reference)
        assert finished(start(reference, case.words)) in case.statuses
        (reference / "done").touch()
    needed = size(reference) - size(folder / "inputs")
    with disk(folder / "disk", folder / "inputs") as work:
        before = {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}
        spoil(kind, work.parent, work, needed)
        user = NOBODY if kind == "not permitted" else None
        status = finished(start(work, case.words, told, user))
        lines = [line for line in told.read_text().splitlines() if line.startswith("watermark: ")]
        shut = kind in ("read-only", "not permitted")
        expected = (
            (*case.statuses, *(2,) * (kind == "not permitted"))
            if verb in WRITE_NOTHING
            else (2,)
            if shut or kind == 0
            else (0, 2)
        )
        wrong = [] if status in expected else [f"status {status}"]
        one_line = 1 if not (verb.startswith("embed") and kind == "not permitted") else PICTURES  # a line for each
        if status == 2 and (len(lines) != one_line or "Traceback" in told.read_text() or "unexpected" in lines[0]):
            wrong.append(f"said {told.read_text()[-600:]}")
        wrong += [f"{path.relative_to(work)}: left hidden" for path in hidden(work)]
        if shut:
            now = {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}
            wrong += [
                str(path.relative_to(work)) for path in now.keys() | before.keys() if now.get(path) != before.get(path)
            ]
        else:
            shutil.rmtree(folder / "seen", ignore_errors=True)  # looked at where there is room for the looking
            wrong += case.whole(shutil.copytree(work, folder / "seen"), reference)
        os.chown(work / "key.json", 0, 0) if kind == "not permitted" else remount(work.parent, "rw,size=256m")
        again = finished(start(work, case.words, told))
        healed = [] if again in case.statuses else [f"status {again}: {told.read_text()[-400:]}"]
        healed += case.whole(work, reference)
        here, there = contents(work, case.made), contents(reference, case.made)
        healed += [f"{name}: differs after the second run" for name in there if here.get(name) != there[name]]
        healed += [f"{path.relative_to(work)}: still hidden" for path in hidden(work)]
    row = {"verb": verb, "disk": kind, "status": status, "line": lines[-1] if lines else ""}
    return row | {"wrong": wrong, "wrong_after": healed}


def table(rows: list[dict]) -> str:
    """Markdown: what each command did on each disk."""
    lines = [
        "| command | read-only | not permitted | room for 0 % | 30 % | 60 % | 90 % | wrong | wrong after the next run |"
    ]
    lines.append("|---" * 9 + "|")
    for verb in dict.fromkeys(row["verb"] for row in rows):
        mine = {row["disk"]: row for row in rows if row["verb"] == verb}
        counts = [sum(bool(row[name]) for row in mine.values()) for name in ("wrong", "wrong_after")]
        lines.append(
            f"| {' | '.join(map(str, (verb, *(mine[kind]['status'] if kind in mine else '-' for kind in DISKS), *counts)))} |"
        )
    return "\n".join(lines) + "\n"


def run() -> int:
    """Exit status 1 where anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--verbs", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--disks", nargs="+", choices=list(map(str, DISKS)), default=list(map(str, DISKS)))
    arguments = parser.parse_args()
    codecs.lookup("unicode-escape")
    torch.set_num_threads(1)
    folder = prepared(arguments.folder, with_run=True)
    log = folder / "disks.jsonl"
    rows = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    for verb in arguments.verbs:
        for kind in DISKS:
            if str(kind) not in arguments.disks or any((row["verb"], row["disk"]) == (verb, kind) for row in rows):
                continue
            rows.append(measure(folder, verb, kind))
            with log.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
            print(rows[-1], flush=True)
    print(table(rows))
    return int(any(row["wrong"] or row["wrong_after"] for row in rows))


if __name__ == "__main__":
    raise SystemExit(run())
