"""`watermark attacks show IMAGE`: every attack and rung of a suite on one picture; `bench`: how fast they are.

`try FOLDER`: what somebody else's mark survives, asked of somebody else's detector.
"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from attacks.bench import add_options, bench
from watermark.errors import UserError
from watermark.shown import json_shown, shown

if TYPE_CHECKING:
    from attacks.contact_sheet import Tile
    from watermark.evaluation.outside import Count
    from watermark.evaluation.suite import Cell


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("attacks", help="show, time or try the attacks", description=__doc__)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    show = actions.add_parser("show", help="draw every attack and rung of a suite on one picture")
    show.add_argument("image", type=Path, metavar="FILE", help="a picture")
    show.add_argument("--suite", default="quick", help="a name under configs/suite (default: %(default)s)")
    show.add_argument("--output", type=Path, help="PNG or JPEG file (default: IMAGE-attacks-SUITE.png)")
    show.add_argument("--overwrite", action="store_true", help="replace the sheet if it is there")
    show.add_argument("--max-side", type=int, default=512, help="px; a larger picture is reduced first (default: 512)")
    show.set_defaults(run=_show)
    _add_try(actions)
    timing = actions.add_parser("bench", help="time each attack against the per-image loop that others use")
    add_options(timing)
    timing.set_defaults(run=_bench)


def _add_try(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    tried = actions.add_parser("try", help="attack pictures that somebody else marked, and ask his detector")
    tried.add_argument("folder", type=Path, metavar="FOLDER", help="pictures that somebody marked")
    tried.add_argument(
        "--detector",
        required=True,
        metavar="COMMAND",
        help="a program; the file goes where it says {}, or behind it: status 0 is marked, 1 not, others no answer",
    )
    tried.add_argument("--unmarked", type=Path, metavar="FOLDER", help="pictures without a mark, for the false alarms")
    tried.add_argument("--suite", default="everyday", help="a name under configs/suite (default: %(default)s)")
    tried.add_argument("--limit", type=int, help="pictures of each folder, spread over the names (default: all)")
    tried.add_argument("--timeout", type=float, default=60.0, help="seconds a picture (default: %(default)g)")
    tried.add_argument("--json", action="store_true", help="one JSON object an attack and line")
    tried.set_defaults(run=_try)


def _try(args: argparse.Namespace) -> int:
    from watermark.evaluation.outside import measure
    from watermark.schemes.peers.command import command

    folders = {True: args.folder} | ({False: args.unmarked} if args.unmarked else {})
    pictures = {marked: _readable(folder, args.limit) for marked, folder in folders.items()}
    cells, detect = _suite(args.suite), command(args.detector, args.timeout)
    for marked, paths in pictures.items():
        for count in measure(paths, detect, cells, marked=marked):
            if count.failed and not count.n and count.attack == "identity":
                raise UserError(f"--detector: no answer to any of {count.failed} pictures; of the first: {count.why}")
            print(json_shown(asdict(count) | {"interval": count.interval}) if args.json else _line(count), flush=True)
    return 0


def _line(count: "Count") -> str:
    low, high = (100 * end for end in count.interval)
    title = count.attack + (f", {count.parameter} {count.strength:g}" if count.parameter else "")
    said = f"{title:40} {'found' if count.marked else 'FALSE'} {count.found} of {count.n} [{low:.0f} to {high:.0f} %]"
    return said + (f"  no answer to {count.failed}: {count.why}" if count.failed else "")


def _readable(folder: Path, limit: int | None) -> list[Path]:
    """The pictures of a folder that can be read; what cannot is told."""
    from watermark.data.spread import spread
    from watermark.files import find_pictures, look

    if not folder.is_dir():
        raise UserError(f"{shown(folder)}: expected a folder of pictures")
    if limit is not None and limit < 1:
        raise UserError(f"--limit: expected at least 1, got {limit}")
    found = list(find_pictures(folder))
    readable = []
    for path in (found[i] for i in spread(limit, len(found))):
        try:
            look(path)
        except UserError as error:
            print(f"left out: {error}", file=sys.stderr)
        else:
            readable.append(path)
    if not readable:
        raise UserError(f"{shown(folder)}: expected pictures, found none that can be read")
    return readable


def _show(args: argparse.Namespace) -> int:
    from attacks.contact_sheet import contact_sheet
    from watermark.cli.progress import followed
    from watermark.files import check_apart, check_target, load_8bit, save
    from watermark.pixels import to_tensor

    output = args.output or Path(f"{args.image.stem}-attacks-{args.suite}.png")
    check_apart({args.image: output})
    check_target(output, args.overwrite)
    picture = load_8bit(args.image)
    picture.thumbnail((args.max_side, args.max_side))
    cells = _cells(args.suite)
    sheet = contact_sheet(to_tensor(picture)[0], followed(cells, "Attacking", len(cells)))
    save(sheet, output, overwrite=args.overwrite)
    print(shown(output))
    return 0


def _bench(args: argparse.Namespace) -> int:
    bench(args)
    return 0


def _cells(suite: str) -> "list[Tile]":
    """The attacks of a suite, to be drawn."""
    from attacks.contact_sheet import Tile

    return [Tile(c.name, c.parameter, c.strength, c.attack) for c in _suite(suite) if c.attack is not None]


def _suite(suite: str) -> "list[Cell]":
    """The cells of a suite as the evaluation would run them."""
    from watermark.config import compose
    from watermark.evaluation.suite import suite_cells

    try:
        composed = compose("suite", suite)
    except ValueError as error:
        raise UserError(f"--suite: {error}") from None
    return suite_cells(composed)
