"""`watermark torture FILE`: one marked picture through forty everyday attacks, and what survives.

Every attack starts from the file itself. A line says whether the mark is found, how sure (log10 p: -6 is one in a
million), and what had to be undone first. At 768x512 it takes half a minute of one core, longer for large pictures and
faint marks. One picture is one picture; for a rate use `watermark evaluate`.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from watermark.cli.marking import add_file_options, add_scheme_options, load_marker
from watermark.errors import UserError
from watermark.shown import json_shown, shown

if TYPE_CHECKING:
    from watermark.detection import Detection
    from watermark.evaluation.torture import Trial


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("torture", help="say what one marked picture survives", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE", help="a marked picture")
    parser.add_argument("--suite", default="everyday", help="a name under configs/suite (default: %(default)s)")
    parser.add_argument("--output", type=Path, help="an HTML page with every attacked picture")
    parser.add_argument("--overwrite", action="store_true", help="replace the page if it is there")
    parser.add_argument("--json", action="store_true", help="one JSON object an attack and line")
    add_file_options(parser)
    add_scheme_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 if the file is marked, whatever it survives, and 1 if it is not."""
    from watermark.cli.progress import followed
    from watermark.evaluation.suite import suite_cells
    from watermark.evaluation.torture import torture
    from watermark.files import check_apart, look, write_whole
    from watermark.files.whole import check_free

    if args.output is not None and args.output.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--output: expected a name that ends in .html, got {shown(args.output)}")
    if args.output is not None:
        check_apart({args.file: args.output})
        check_free(args.output, args.overwrite)
    picture = look(args.file)
    cells = suite_cells(_suite(args.suite))
    marker = load_marker(args)
    found = marker.detect(picture)
    if not found.is_marked:
        print(f"{shown(args.file)}: not marked with this key and scheme (log10 p {found.log10_p:.1f})")
        return 1
    trials = []
    for trial in followed(torture(marker, picture, found, cells), "Attacking", len(cells) - 1):
        print(_json(trial) if args.json else _line(trial), flush=True)
        trials.append(trial)
    if not args.json:
        print(f"{shown(args.file)}: survives {sum(trial.survives for trial in trials)} of {len(trials)}")
    if args.output is not None:
        from watermark.report.torture import torture_page

        page = torture_page(args.file.name, picture, _facts(args, found), trials)
        write_whole(args.output, page.encode(), overwrite=args.overwrite)
        if not args.json:
            print(f"Page: {shown(args.output)}")
    return 0


def _suite(name: str) -> dict[str, object]:
    from watermark.config import compose

    try:
        return compose("suite", name)
    except ValueError as error:
        raise UserError(f"--suite: {error}") from None


def _line(trial: "Trial") -> str:
    said = "found" if trial.survives else "LOST "
    undone = f"  undone: {trial.undone}" if trial.undone else ""
    return f"{trial.title:40} {said}  log10 p {trial.found.log10_p:7.1f}{undone}"


def _json(trial: "Trial") -> str:
    facts = {
        "attack": trial.attack,
        "parameter": trial.parameter,
        "strength": trial.strength,
        "survives": trial.survives,
        "log10_p": round(trial.found.log10_p, 3),
        "provider_id": trial.found.provider_id,
        "content_id": trial.found.content_id,
        "undone": trial.undone,
    }
    return json_shown(facts)


def _facts(args: argparse.Namespace, found: "Detection") -> dict[str, str]:
    named = found.provider_id is not None
    return {
        "scheme": args.scheme,
        "suite": args.suite,
        "provider": str(found.provider_id) if named else "no ID certain enough",
        "content": str(found.content_id) if named else "no ID certain enough",
        "log10 p of the file": f"{found.log10_p:.1f}",
    }
