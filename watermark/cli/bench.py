"""`watermark bench`: seconds and peak memory of marking and reading against picture size and batch."""

import argparse
import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watermark.errors import UserError

if TYPE_CHECKING:
    from watermark.evaluation.benchmark import Case

SIDES, BATCHES = (256, 512, 1024, 2048), (1, 8)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser("bench", help="time and weigh marking and reading", description=__doc__)
    parser.add_argument(
        "--run", type=Path, dest="run_dir", metavar="RUN_DIR", help="its schemes; put the times in its report"
    )
    parser.add_argument("--schemes", nargs="+", help="names (default: those of --run, else all)")
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES, help="px, of squares (default: %(default)s)")
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES, help="at once (default: %(default)s)")
    parser.add_argument(
        "--megapixels", type=float, default=17.0, help="larger batches are left out (default: %(default)s)"
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, or auto (default)")
    parser.add_argument("--output", type=Path, help="folder for bench.json and bench.md")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print every case as it is measured; write them where ``--output`` and ``--run`` say."""
    from watermark.evaluation.benchmark import measure
    from watermark.evaluation.provenance import device_name, git_state, versions
    from watermark.watermarker import pick_device

    device, cases = pick_device(args.device), []
    if min(*args.sides, *args.batches, args.megapixels) <= 0:
        raise UserError("expected sides, batches and megapixels above 0")
    print(device_name(device))
    for name, marker in _markers(args, device):
        for case in measure(name, marker, args.sides, args.batches, device, args.megapixels):
            cases.append(case)
            print(_line(case), flush=True)
    content: dict[str, Any] = {
        "format": 1,
        "command": shlex.join(_words(args)),
        "device": device_name(device),
        "threads": 1 if device.type == "cpu" else None,
        "clock": "processor time of one thread" if device.type == "cpu" else "wall, synchronised",
        "memory": "resident memory of the process" if device.type == "cpu" else "memory allocated by CUDA",
        "torch": versions()["torch"],
        "git": git_state(),
        "cases": [asdict(case) for case in cases],
    }
    for folder in filter(None, (args.output, args.run_dir)):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "bench.json").write_text(json.dumps(content, indent=1) + "\n")
        (folder / "bench.md").write_text(_table(cases))
    if args.run_dir:
        from watermark.report import build_report

        print(f"Report: {build_report(args.run_dir)}")
    return 0


def _markers(args: argparse.Namespace, device: Any) -> Any:
    """Name and watermarker of every scheme asked for, on the device."""
    from watermark.cli.forgery import run_config
    from watermark.config import config_names
    from watermark.evaluation.job import Job
    from watermark.watermarker import Watermarker

    if args.run_dir is None:
        for name in args.schemes or config_names("scheme"):
            try:
                yield name, Watermarker.load(name, key="bench", device=device)
            except ValueError as error:
                raise UserError(str(error)) from None
        return
    job = Job({**run_config(args.run_dir), "device": str(device)})
    for name in args.schemes or job.config["schemes"]:
        if name not in job.config["schemes"]:
            raise UserError(f"--schemes: the run has {', '.join(job.config['schemes'])}, not {name}")
        yield name, job.marker(name)


def _words(args: argparse.Namespace) -> list[str]:
    words = ["watermark", "bench", *(["--run", "RUN_DIR"] if args.run_dir else [])]
    words += ["--schemes", *args.schemes] if args.schemes else []
    words += ["--sides", *map(str, args.sides), "--batches", *map(str, args.batches)]
    return [*words, "--megapixels", f"{args.megapixels:g}"]


def _line(case: "Case") -> str:
    where = f"{case.scheme}  {case.stage}, {case.side} px x {case.batch}"
    return f"{where}: {case.seconds:.3g} s a picture ({case.repeats} times), peak {case.peak_bytes / 2**20:.0f} MiB"


def _table(cases: "list[Case]") -> str:
    lines = [
        "| scheme | stage | side, px | batch | s per picture, median | slowest | repeats | peak MiB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for c in cases:
        cells = (c.scheme, c.stage, c.side, c.batch, f"{c.seconds:.4f}", f"{c.slowest:.4f}", c.repeats)
        lines.append(f"| {' | '.join(map(str, cells))} | {c.peak_bytes / 2**20:.0f} |")
    return "\n".join(lines) + "\n"
