"""`watermark key new FILE`, `watermark key show FILE`: make a key file, or say which key it is without showing it."""

import argparse
from pathlib import Path

from watermark.shown import shown


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("key", help="make and check key files", description=__doc__)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    new = actions.add_parser("new", help="make a key file that only its owner may read")
    new.add_argument("file", type=Path, metavar="FILE", help="the key file to make")
    new.add_argument(
        "--rotate", type=Path, metavar="OLD", help="keep the registry's key of this file; the mark's key is new"
    )
    new.set_defaults(run=_new)
    show = actions.add_parser("show", help="say which key this is; the secret is not shown")
    show.add_argument("file", type=Path, metavar="FILE", help="a key file")
    show.set_defaults(run=_show)


def _new(args: argparse.Namespace) -> int:
    from watermark.keystore import KeyFile

    key = KeyFile.new(KeyFile.load(args.rotate) if args.rotate else None)
    key.save(args.file)
    warning = "readable by its owner only; who has it can read, write and copy your marks"
    print(f"{shown(args.file)}: key {key.key_id}, {warning}")
    return 0


def _show(args: argparse.Namespace) -> int:
    from watermark.keystore import KeyFile

    key = KeyFile.load(args.file)
    print(f"{shown(args.file)}: key {key.key_id}, made {key.created_at}")
    return 0
