"""`watermark bench`: seconds and peak memory of marking and reading against picture size and batch."""

import argparse
import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watermark.cli.remeasure import OWN_CONFIG
from watermark.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from watermark.evaluation.bench import Case, Size
    from watermark.watermarker import Watermarker

SIZES, BATCHES = ("256", "512", "768x512", "1024", "2048", "4096"), (1, 8)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("bench", help="time and weigh marking and reading", description=__doc__)
    parser.add_argument(
        "--run", type=Path, dest="run_dir", metavar="RUN_DIR", help="its schemes; put the times in its report"
    )
    parser.add_argument("--schemes", nargs="+", help="names (default: those of --run, else all)")
    parser.add_argument(
        "--sizes", nargs="+", default=SIZES, help=f"px, N for squares or WIDTHxHEIGHT (default: {' '.join(SIZES)})"
    )
    parser.add_argument(
        "--batches", type=int, nargs="+", default=BATCHES, help=f"at once (default: {' '.join(map(str, BATCHES))})"
    )
    parser.add_argument(
        "--megapixels", type=float, default=17.0, help="larger batches are left out (default: %(default)s)"
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, or auto (default)")
    parser.add_argument("--output", type=Path, help="folder for bench.json, bench.md and bench.svg")
    parser.add_argument("--config-dir", type=Path, action="append", default=[], metavar="DIR", help=OWN_CONFIG)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print every case as it is measured; write them where ``--output`` and ``--run`` say."""
    from watermark.evaluation.bench import measure
    from watermark.evaluation.provenance import device_name
    from watermark.reader import pick_device

    sizes, device, cases = [_size(text) for text in args.sizes], pick_device(args.device), []
    if min(*args.batches, args.megapixels) <= 0:
        raise UserError("expected batches and megapixels above 0")
    markers, facts = _markers(args, device), _facts(args, device)
    print(device_name(device))
    for name, marker in markers:
        for case in measure(name, marker, sizes, args.batches, device, args.megapixels):
            cases.append(asdict(case))
            print(_line(case), flush=True)
            for folder in filter(None, (args.output, args.run_dir)):
                _write(folder, facts | {"cases": cases})  # who stops it keeps what was measured
    if not cases:
        raise UserError("--sizes: nothing was timed; all are smaller than the scheme takes or above --megapixels")
    if args.run_dir:
        from watermark.report import build_report

        print(f"Report: {build_report(args.run_dir)}")
    return 0


def _size(text: str) -> "Size":
    """``512`` or ``768x512``."""
    try:
        width, height = (int(part) for part in (text if "x" in text else f"{text}x{text}").split("x"))
    except ValueError:
        width = height = 0
    if min(width, height) < 1:
        raise UserError(f"--sizes: expected N or WIDTHxHEIGHT in px, got {text}")
    return width, height


def _facts(args: argparse.Namespace, device: Any) -> dict[str, Any]:
    """What a stranger needs to time again."""
    from watermark.evaluation.provenance import device_name, git_state, versions

    return {
        "format": 2,
        "command": shlex.join(_words(args)),
        "device": device_name(device),
        "threads": 1 if device.type == "cpu" else None,
        "clock": "processor time of one thread" if device.type == "cpu" else "wall, synchronised",
        "memory": "resident memory of the process" if device.type == "cpu" else "memory allocated by CUDA",
        "torch": versions()["torch"],
        "git": git_state(),
    }


def _write(folder: Path, content: dict[str, Any]) -> None:
    """Numbers, table and plot."""
    from watermark.evaluation.parts import write_text
    from watermark.report.bench_figures import figure, markdown
    from watermark.report.sections.bench import read

    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "bench.json", json.dumps(content, indent=1) + "\n")
    cases = read(folder / "bench.json")["cases"]
    write_text(folder / "bench.md", markdown(cases))
    write_text(folder / "bench.svg", figure(cases, list(dict.fromkeys(case["scheme"] for case in cases))))


def _markers(args: argparse.Namespace, device: Any) -> "Iterator[tuple[str, Watermarker]]":
    """Name and watermarker of every scheme asked for, on the device; names are checked before the first is built."""
    from watermark.config import config_file, default_names
    from watermark.evaluation.manifest import read_manifest
    from watermark.evaluation.rebuild import marker, trusted

    if args.run_dir is None:
        names = args.schemes or default_names("scheme")
        try:
            for name in names:
                config_file("scheme", name)
        except ValueError as error:
            raise UserError(f"--schemes: {error}") from None
        return ((name, _loaded(name, device)) for name in names)
    config = trusted(read_manifest(args.run_dir)["config"], args.config_dir, pictures=Path())  # none is opened
    return ((name, marker(config, name, "bench", device)) for name in args.schemes or config["schemes"])


def _loaded(name: str, device: Any) -> "Watermarker":
    from watermark.watermarker import Watermarker

    try:
        return Watermarker.load(name, key="bench", device=device)
    except ValueError as error:
        raise UserError(str(error)) from None


def _words(args: argparse.Namespace) -> list[str]:
    words = ["watermark", "bench", *(["--run", "RUN_DIR"] if args.run_dir else [])]
    words += ["--schemes", *args.schemes] if args.schemes else []
    words += ["--sizes", *args.sizes, "--batches", *map(str, args.batches)]
    return [*words, "--megapixels", f"{args.megapixels:g}"]


def _line(case: "Case") -> str:
    where = f"{case.scheme}  {case.stage}, {case.width}x{case.height} px x {case.batch}"
    found = "" if case.found is None else f", found in {case.found} of {case.batch}"
    peak = f"peak {case.peak_bytes / 2**20:.0f} MiB"
    return f"{where}: {case.seconds:.3g} s a picture ({case.repeats} times), {peak}{found}"
