"""`watermark report RUN_DIR`: build the report of a run again, from its rows alone."""

import argparse
from pathlib import Path

from watermark.errors import UserError


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser("report", help="build the report of a run again from its rows", description=__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write every output next to the rows and print the short table."""
    from rich.console import Console

    from watermark.report import build_report, print_summary

    try:
        report = build_report(args.run_dir)
    except (FileNotFoundError, ValueError) as error:
        raise UserError(str(error).splitlines()[0]) from None
    console = Console()
    console.print(print_summary(args.run_dir))
    console.print(f"Report: {report}", soft_wrap=True, highlight=False)
    return 0
