"""`watermark list [schemes|attacks|suites|layouts|codecs|extras]`: what there is to choose from, one line each."""

import argparse
from dataclasses import asdict

from watermark.catalogue import KINDS, entries
from watermark.errors import UserError
from watermark.shown import json_shown, shown


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("list", help="say what there is to choose from", description=__doc__)
    parser.add_argument(
        "kind", nargs="?", type=_plural, choices=KINDS, metavar="KIND", help=f"{', '.join(KINDS)} (default: all)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=run)


def _plural(word: str) -> str:
    return f"{word}s" if f"{word}s" in KINDS else word


def run(args: argparse.Namespace) -> int:
    """Print them; a command takes each by the name that stands first."""
    for kind in [args.kind] if args.kind else KINDS:
        try:
            found = entries(kind)
        except ValueError as error:  # a broken file among one's own
            raise UserError(str(error)) from None
        if args.json:
            print(*(json_shown({"kind": kind, **asdict(entry)}) for entry in found), sep="\n")
            continue
        if not args.kind:
            print(f"{kind}:")
        width = max((len(entry.name) for entry in found), default=0)
        indent = "" if args.kind else "  "
        for entry in found:
            print(f"{indent}{shown(entry.name):{width}}  {shown(entry.about)}")
    return 0
