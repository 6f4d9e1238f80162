"""`watermark detect FILE...`: is there a mark, whose, and how sure. Exit status 0 marked, 1 not marked, 2 error."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from watermark.cli.keyrings import add_keyring_options, load_reader
from watermark.cli.marking import (
    add_false_positive_option,
    add_file_options,
    add_misattribution_option,
    add_scheme_options,
    add_search_option,
    answers,
    expand,
)
from watermark.shown import json_shown, shown

if TYPE_CHECKING:
    from watermark.detection import Detection, PublicAnswer


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("detect", help="look for a mark in pictures or folders", description=__doc__)
    parser.add_argument("inputs", type=Path, nargs="+", metavar="FILE", help="pictures or folders of pictures")
    parser.add_argument("--json", action="store_true", help="one JSON object per picture and line")
    add_false_positive_option(parser)
    parser.add_argument(
        "--public",
        action="store_true",
        help="say only what a stranger may know: nothing that grows as a forger comes near",
    )
    add_keyring_options(parser)
    add_file_options(parser)
    add_misattribution_option(parser)
    add_search_option(parser)
    add_scheme_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 if every readable picture is marked, 1 if one is not, 2 if one could not be read."""
    files = expand(args.inputs)
    marker = load_reader(args)
    from watermark.files import look

    unmarked = failed = 0
    for path, found in answers(files, "Detecting", lambda path: marker.detect(look(path)), as_json=args.json):
        if found is None:
            failed += 1
            continue
        unmarked += not found.is_marked
        print((_json if args.json else _line)(path, found.public() if args.public else found))
    return 2 if failed else int(unmarked > 0)


def _line(path: Path, found: "Detection | PublicAnswer") -> str:
    from watermark.detection.words import said

    return f"{shown(path)}: {said(found)}"


def _json(path: Path, found: "Detection | PublicAnswer") -> str:
    from watermark.detection import PublicAnswer

    if isinstance(found, PublicAnswer):
        return json_shown({"file": str(path), **asdict(found)})
    facts = {
        "file": str(path),
        "is_marked": found.is_marked,
        "log10_p": round(found.log10_p, 3),
        "provider_id": found.provider_id,
        "content_id": found.content_id,
        "version": found.version,
        "name_uncertain": found.name_uncertain,
        "log10_doubt": None if found.log10_doubt is None else round(found.log10_doubt, 3),
        "readings": found.readings,
    }
    return json_shown(facts)
