"""`watermark remeasure RUN_DIR`: measure random parts of a run again and compare every row, field by field."""

import argparse
from pathlib import Path

from watermark.shown import shown

OWN_CONFIG = "a configuration folder of your own, if the run measured schemes or attacks of yours"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "remeasure", help="measure random cells of a run again and compare", description=__doc__
    )
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="the folder of a run")
    parser.add_argument("--cells", type=int, default=5, help="how many random cells (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="of the choice; default: another one every time")
    parser.add_argument(
        "--pictures", type=Path, metavar="DIR", help="where the photographs are, if it measured a folder"
    )
    parser.add_argument("--config-dir", type=Path, action="append", default=[], metavar="DIR", help=OWN_CONFIG)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 if every row came out the same, 1 if one differs."""
    from watermark.evaluation.remeasure import remeasure

    result = remeasure(args.run_dir, args.cells, args.seed, pictures=args.pictures, own=args.config_dir)
    for line in result.notes:
        print(f"note: {shown(line)}")
    for line in result.differences:
        print(f"differs: {shown(line)}")
    how = "to the byte" if result.exact else "within the tolerance for another machine (decisions equal)"
    same = result.rows - result.differing_rows
    print(f"{same} of {result.rows} rows in {result.cells} cells came out the same, {how}")
    return int(bool(result.differences))
