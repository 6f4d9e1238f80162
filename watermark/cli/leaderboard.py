"""`watermark leaderboard RUN...`: summaries of many runs, ours or sent in, as one page.

A RUN is the folder of a run, or a summary.json of one. Entries to be shown for good lie under results/leaderboard.
"""

import argparse
from pathlib import Path

from watermark.shown import shown


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("leaderboard", help="put schemes of many runs on one page", description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="the folder of a run, or its summary.json")
    parser.add_argument("--output", type=Path, default=Path("leaderboard.html"), help="the page (default: %(default)s)")
    parser.add_argument("--overwrite", action="store_true", help="replace the page if it is there")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the page, and print its first rows."""
    from watermark.files import check_apart, write_whole
    from watermark.files.whole import check_free
    from watermark.report.leaderboard import leaderboard_page, read_entries

    for path in args.runs:
        if path.is_file():
            check_apart({path: args.output})  # one by one: many become one page
    check_free(args.output, args.overwrite)
    entries = [entry for path in args.runs for entry in read_entries(path)]
    page = leaderboard_page(entries)
    write_whole(args.output, page.encode(), overwrite=args.overwrite)
    print(f"{len(entries)} {'entry' if len(entries) == 1 else 'entries'}: {shown(args.output)}")
    return 0
