"""`watermark show scheme learned`: what a scheme, an attack, a suite or a layout is, its settings and its card."""

import argparse
from dataclasses import asdict

from watermark.catalogue import GROUPS, as_yaml, show
from watermark.errors import UserError
from watermark.shown import json_shown


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    kinds = tuple(GROUPS.values())
    parser = subparsers.add_parser(
        "show", help="describe a scheme, an attack, a suite or a layout", description=__doc__
    )
    parser.add_argument("kind", type=_singular, choices=kinds, metavar="KIND", help=", ".join(kinds))
    parser.add_argument("name", metavar="NAME", help="one of what `watermark list` says")
    parser.add_argument("--json", action="store_true", help="the same as one JSON object")
    parser.set_defaults(run=run)


def _singular(word: str) -> str:
    word = word.removesuffix("s")
    return "layout" if word == "codec" else word  # `list codecs` names the one code by the layouts that it carries


def run(args: argparse.Namespace) -> int:
    """Print what the file says, its settings, its class and the card of its weights."""
    try:
        found = show(args.kind, args.name)
    except ValueError as error:
        raise UserError(str(error)) from None
    if args.json:
        print(json_shown(asdict(found)))
        return 0
    parts = [f"{found.name}: {found.text}", f"{found.file}\n\n{as_yaml(found)}"]
    if found.target:
        parts.append(f"{found.target}\n\n{found.docstring}")
    if found.card:
        parts.append(found.card.rstrip())
    print(f"\n\n{'-' * 80}\n".join(parts))
    return 0
