"""`watermark compare RUN_A RUN_B`: what got better, what got worse, and what cannot be told apart."""

import argparse
from pathlib import Path

from watermark.errors import UserError


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("compare", help="say what differs between two runs", description=__doc__)
    parser.add_argument("run_a", type=Path, metavar="RUN_A", help="the folder of a run")
    parser.add_argument("run_b", type=Path, metavar="RUN_B", help="the folder of another")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the table of paired differences, and what only one of the runs has."""
    from rich.console import Console

    from watermark.evaluation.gather import gather
    from watermark.report import compare_runs

    try:
        for run_dir in (args.run_a, args.run_b):
            gather(run_dir)
        comparison = compare_runs(args.run_a, args.run_b)
    except (FileNotFoundError, ValueError) as error:
        raise UserError(str(error).splitlines()[0]) from None
    console = Console()
    console.print(comparison.table())
    if comparison.too_few:
        console.print(comparison.too_few, highlight=False)
    for scheme, (a, b) in comparison.quality.items():
        if a is not None and b is not None:
            console.print(f"{scheme}: mean PSNR {a:.2f} dB in A, {b:.2f} dB in B", highlight=False)
    for name, cells in (("A", comparison.only_a), ("B", comparison.only_b)):
        if cells:
            console.print(f"only in {name}: {', '.join(map(str, cells))}", highlight=False)
    return 0
