"""`watermark attacks show IMAGE`: every attack and rung of a suite on one picture; `bench`: how fast they are."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from attacks.bench import add_options, bench
from watermark.errors import UserError
from watermark.shown import shown

if TYPE_CHECKING:
    from attacks.contact_sheet import Tile


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("attacks", help="show or time the attacks", description=__doc__)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    show = actions.add_parser("show", help="draw every attack and rung of a suite on one picture")
    show.add_argument("image", type=Path, metavar="FILE", help="a picture")
    show.add_argument("--suite", default="quick", help="a name under configs/suite (default: %(default)s)")
    show.add_argument("--output", type=Path, help="PNG or JPEG file (default: IMAGE-attacks-SUITE.png)")
    show.add_argument("--overwrite", action="store_true", help="replace the sheet if it is there")
    show.add_argument("--max-side", type=int, default=512, help="px; a larger picture is reduced first (default: 512)")
    show.set_defaults(run=_show)
    timing = actions.add_parser("bench", help="time each attack against the per-image loop that others use")
    add_options(timing)
    timing.set_defaults(run=_bench)


def _show(args: argparse.Namespace) -> int:
    from attacks.contact_sheet import contact_sheet
    from watermark.files import check_apart, check_target, load, save
    from watermark.pixels import to_tensor

    output = args.output or Path(f"{args.image.stem}-attacks-{args.suite}.png")
    check_apart({args.image: output})
    check_target(output, args.overwrite)
    picture = load(args.image)
    picture.thumbnail((args.max_side, args.max_side))
    sheet = contact_sheet(to_tensor(picture)[0], _cells(args.suite))
    save(sheet, output, overwrite=args.overwrite)
    print(shown(output))
    return 0


def _bench(args: argparse.Namespace) -> int:
    bench(args)
    return 0


def _cells(suite: str) -> "list[Tile]":
    """The cells of a suite as the evaluation would run them."""
    from attacks.contact_sheet import Tile
    from watermark.config import compose
    from watermark.evaluation.job import suite_cells

    try:
        composed = compose("suite", suite)
    except ValueError as error:
        raise UserError(f"--suite: {error}") from None
    cells = suite_cells(composed)
    return [Tile(c.name, c.parameter, c.strength, c.attack) for c in cells if c.attack is not None]
