"""`watermark locate FILE...`: where is the mark, and where was the picture edited. Status 0 marked, 1 not, 2 error."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from watermark.errors import UserError
from watermark.shown import json_shown, shown

if TYPE_CHECKING:
    from PIL import Image

    from watermark.localization import Localization


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("locate", help="say which part carries the mark", description=__doc__)
    parser.add_argument("inputs", type=Path, nargs="+", metavar="FILE", help="pictures or folders of pictures")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="PNG",
        help="picture and map: blue marked, orange with stripes edited, yellow another mark, grey unknown; of several "
        "pictures a folder",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace maps that are there")
    parser.add_argument("--json", action="store_true", help="one JSON object per picture and line")
    parser.add_argument(
        "--false-alarm-rate",
        type=float,
        default=1e-2,
        help="how often a region without the mark may be called marked (default: %(default)s)",
    )
    add_false_positive_option(parser)
    add_keyring_options(parser)
    add_file_options(parser)
    add_misattribution_option(parser)
    add_search_option(parser)
    add_scheme_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 if every readable picture is marked, 1 if one is not, 2 if one could not be read."""
    paths = list(dict.fromkeys(expand(args.inputs)))
    targets = _targets(paths, args.output, args.overwrite)
    marker = load_reader(args)
    from watermark.files import look

    def ask(path: Path) -> "Localization":
        image = look(path)
        where = marker.locate(image, false_alarm_rate=args.false_alarm_rate)
        if path in targets:
            _draw(image, where, targets[path], args.overwrite)
        return where

    unmarked = failed = 0
    for path, where in answers(paths, "Locating", ask, as_json=args.json):
        if where is None:
            failed += 1
            continue
        unmarked += not where.detection.is_marked
        facts = _facts(path, where, targets.get(path))
        print(json_shown(facts) if args.json else _line(path, facts))
    return 2 if failed else int(unmarked > 0)


def _targets(paths: list[Path], output: Path | None, overwrite: bool) -> dict[Path, Path]:
    """Where the map of each picture goes; all is refused before anything is looked at."""
    from watermark.files import check_apart
    from watermark.files.whole import check_free

    if output is None:
        return {}
    if len(paths) == 1 and not output.is_dir():
        targets = {paths[0]: output}
    else:
        if output.exists() and not output.is_dir():
            raise UserError(f"{shown(output)}: expected a folder for the maps of {len(paths)} pictures, got a file")
        targets = {path: output / f"{path.stem}.png" for path in paths}
    check_apart(targets)
    for target in targets.values():
        if target.suffix.lower() != ".png":
            raise UserError(f"{shown(target)}: expected the name of a PNG file")
        check_free(target, overwrite)
    return targets


def _draw(image: "Image.Image", where: "Localization", target: Path, overwrite: bool) -> None:
    import io

    from watermark.files import write_whole
    from watermark.localization.drawing import drawn

    file = io.BytesIO()
    drawn(image, where).save(file, "PNG")
    write_whole(target, file.getvalue(), overwrite=overwrite)


def _facts(path: Path, where: "Localization", target: Path | None) -> dict[str, Any]:
    found = where.detection
    return {
        "file": str(path),
        "is_marked": found.is_marked,
        "log10_p": round(found.log10_p, 3),
        "provider_id": found.provider_id,
        "content_id": found.content_id,
        **{name: round(share, 4) for name, share in where.shares.items()},
        "false_alarm_rate": where.false_alarm_rate,
        "others": [
            {
                "provider_id": other.detection.provider_id,
                "content_id": other.detection.content_id,
                "log10_p": round(other.detection.log10_p, 3),
                "marked": round(other.shares["marked"], 4),
            }
            for other in where.others
        ],
        "map": str(target) if target else None,
    }


def _line(path: Path, facts: dict[str, Any]) -> str:
    if not facts["is_marked"]:
        return f"{shown(path)}: not marked (log10 p {facts['log10_p']:.1f}), so nothing can be said of its parts"
    parts = ", ".join(f"{name} {100 * facts[name]:.1f} %" for name in ("marked", "edited", "unknown"))
    whose = _whose(facts)
    others = "".join(
        f"; another mark, {_whose(other)}in {100 * other['marked']:.1f} % (log10 p {other['log10_p']:.1f})"
        for other in facts["others"]
    )
    return f"{shown(path)}: {whose}{parts} of the picture (log10 p {facts['log10_p']:.1f}){others}"


def _whose(facts: dict[str, Any]) -> str:
    named = {"provider": facts["provider_id"], "content": facts["content_id"]}
    return "".join(f"{what} {number}, " for what, number in named.items() if number is not None)
