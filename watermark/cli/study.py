"""`watermark study`: do people see the mark? `page` makes a page that asks them, `analyse` says what they answered."""

import argparse
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from watermark.cli.marking import add_file_options, add_scheme_options, expand, load_marker, with_progress
from watermark.errors import UserError
from watermark.shown import json_shown, shown

if TYPE_CHECKING:
    from watermark.study.analysis import Sensitivity

PROVIDER = 1


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("study", help="ask people whether they see the mark", description=__doc__)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    page = actions.add_parser("page", help="make the page: one HTML file that works offline", description=_page.__doc__)
    page.add_argument("inputs", type=Path, nargs="+", metavar="DIR", help="unmarked pictures or folders of them")
    page.add_argument("--output", type=Path, default=Path("study.html"), help="the page (default: %(default)s)")
    page.add_argument("--overwrite", action="store_true", help="replace the page if it is there")
    page.add_argument("--limit", type=int, default=24, metavar="N", help="use only so many (default: %(default)s)")
    page.add_argument("--side", type=int, default=512, metavar="PX", help="of the middle that is shown, unscaled")
    page.add_argument("--repeats", type=int, default=2, metavar="N", help="of each picture (default: %(default)s)")
    add_file_options(page)
    add_scheme_options(page)
    page.set_defaults(run=_page)
    analyse = actions.add_parser("analyse", help="say what was answered", description=_analyse.__doc__)
    analyse.add_argument("inputs", type=Path, nargs="+", metavar="FILE", help="answers, one file for each person")
    analyse.add_argument("--json", action="store_true", help="one JSON object")
    analyse.set_defaults(run=_analyse)


def _page(args: argparse.Namespace) -> int:
    """Mark pictures and write a page that shows each beside its original, in random order, and asks which is marked."""
    from watermark.files import look, write_whole
    from watermark.files.whole import check_free
    from watermark.pixels import ready
    from watermark.study.page import pair, study_page

    for option, value, least in (("limit", args.limit, 1), ("side", args.side, 64), ("repeats", args.repeats, 1)):
        if value < least:
            raise UserError(f"--{option}: expected at least {least}, got {value}")
    if args.output.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--output: expected a name that ends in .html, got {shown(args.output)}")
    check_free(args.output, args.overwrite)
    files = expand(args.inputs)[: args.limit]
    marker = load_marker(args, warned=False)
    pairs = []
    for number, file in enumerate(with_progress(files, "Marking")):
        original = ready(look(file)).convert("RGB")
        marked = marker.embed(original, PROVIDER, number)
        pairs.append(pair(f"{number + 1} {shown(file.name, 80)}", original, marked, args.side))
    write_whole(args.output, study_page(pairs, args.repeats).encode(), overwrite=args.overwrite)
    pictures = f"{len(pairs)} picture{'s' * (len(pairs) > 1)}"
    print(f"{shown(args.output)}: {pictures}, {len(pairs) * args.repeats} questions for each person")
    return 0


def _analyse(args: argparse.Namespace) -> int:
    """Say how well the marked pictures were told from the originals (d': 0 is guessing, 1 is 76 % right)."""
    from watermark.study.analysis import grouped, overall, read_answers

    answers = read_answers(args.inputs)
    whole, people, pictures = overall(answers), grouped(answers, "person"), grouped(answers, "picture")
    if args.json:
        groups = {"people": people, "pictures": pictures}
        tables = {kind: {name: _facts(one) for name, one in found.items()} for kind, found in groups.items()}
        print(json_shown({"overall": _facts(whole), **tables}))
        return 0
    print(f"{len(people)} people, {len(pictures)} pictures: {_words(whole)}")
    print("0 is guessing, 1 is 76 % right, 2 is 92 %; the interval is for other people and other pictures.")
    for kind, found in (("person", people), ("picture", pictures)):
        for name, one in found.items():
            print(f"  {kind:7} {shown(name, 80):24} {_words(one)}")
    return 0


def _words(one: "Sensitivity") -> str:
    return f"{one.right} of {one.n} right, d' {one.d_prime:.2f} [{one.low:.2f} to {one.high:.2f}]"


def _facts(one: "Sensitivity") -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in asdict(one).items()}
