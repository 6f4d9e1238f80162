"""`watermark report RUN_DIR`: build the report of a run again, from its rows alone."""

import argparse
import shutil
from pathlib import Path

from watermark.errors import UserError


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("report", help="build the report of a run again from its rows", description=__doc__)
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="the folder of a run")
    for name in ("forgery", "bench"):
        parser.add_argument(
            f"--{name}",
            type=Path,
            metavar="FILE_OR_DIR",
            help=f"answers of `watermark {name}`: put them beside the rows and in the report",
        )
    parser.add_argument(
        "--pdf", action="store_true", help="print it as report.pdf too, with the browser that is installed"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write every output next to the rows and print the short table."""
    from rich.console import Console

    from watermark.evaluation.gather import gather
    from watermark.report import build_report, print_summary

    try:
        for name in ("forgery", "bench"):
            if given := getattr(args, name):
                _adopt(given, args.run_dir, f"{name}.json")
        gather(args.run_dir)
        report = build_report(args.run_dir)
    except (FileNotFoundError, ValueError) as error:
        raise UserError(str(error).splitlines()[0]) from None
    console = Console()
    console.print(print_summary(args.run_dir))
    console.print(f"Report: {report}", soft_wrap=True, highlight=False)
    if args.pdf:
        from watermark.report.browser import print_pdf

        print_pdf(report, report.with_suffix(".pdf"))
        console.print(f"PDF: {report.with_suffix('.pdf')}", soft_wrap=True, highlight=False)
    return 0


def _adopt(given: Path, run_dir: Path, name: str) -> None:
    """Copy a file of answers into the run folder, so that the report can be built again from the folder alone."""
    from watermark.evaluation.parts import whole
    from watermark.report.sections import bench, security

    source = given / name if given.is_dir() else given
    if not (run_dir / "manifest.json").is_file():
        raise FileNotFoundError(f"expected the folder of a run, with manifest.json, got {run_dir}")
    {"forgery.json": security.read, "bench.json": bench.read}[name](source)
    if source.resolve() != (run_dir / name).resolve():
        with whole(run_dir / name) as temporary:
            shutil.copyfile(source, temporary)
