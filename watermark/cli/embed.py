"""`watermark embed IN OUT --provider 7 --content 123`: mark one picture, or every picture of a folder.

In place (OUT is IN, with --overwrite) pictures of a folder that have a mark of this key, and links to others of its
pictures, are left as they are, so that the same command goes on where it was stopped. Without --content every picture
gets a random content ID, and its line says which. Never mark many pictures with one ID: who averages them has the mark.
"""

import argparse
import re
import secrets
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from watermark.cli.marking import (
    about_file,
    add_file_options,
    add_scheme_options,
    check_quality,
    expand,
    load_marker,
    say_left_out,
    say_quality,
    with_progress,
)
from watermark.errors import UserError, show_unexpected
from watermark.shown import shown

if TYPE_CHECKING:
    from watermark.mark_file import Marked
    from watermark.watermarker import Watermarker


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("embed", help="mark a picture or a folder of pictures", description=__doc__)
    parser.add_argument("input", type=Path, metavar="IN", help="a picture, or a folder of pictures")
    parser.add_argument("output", type=Path, metavar="OUT", help="the marked picture; for a folder, the folder to fill")
    parser.add_argument("--provider", type=int, required=True, metavar="ID", help="provider ID: who made it")
    parser.add_argument(
        "--content", type=int, help="content ID; in a folder the first one, counting up (default: random)"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace existing files, the input too if OUT names it"
    )
    parser.add_argument(
        "--quality",
        type=int,
        help="of JPEG, WebP or AVIF output, 1 to 100 (default: a JPEG keeps its own, or a higher one where that "
        "would lose the mark; a WebP without loss stays so; else 95, AVIF 90)",
    )
    parser.add_argument(
        "--preflight",
        choices=["none", "quick", "thorough"],
        default="quick",
        help="after which everyday re-savings the mark is read, and warned of (default: %(default)s)",
    )
    parser.add_argument(
        "--ensure", action="store_true", help="mark more strongly where the mark would not survive, down to 30 dB"
    )
    parser.add_argument(
        "--every-frame", action="store_true", help="mark all frames of an animated GIF, WebP or PNG with the same IDs"
    )
    add_file_options(parser)
    add_scheme_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 if every picture was marked, 2 otherwise. A full or read-only disk ends a folder's run at once."""
    from watermark.files.whole import DiskError
    from watermark.mark_file import MarkLostError

    pairs = _pairs(args.input, args.output, args.every_frame)
    check_quality(args.quality)
    marker = load_marker(args)
    contents = _contents(marker, args.provider, args.content, len(pairs))
    alone, done, kept = not args.input.is_dir(), 0, 0
    for content, source in zip(contents, with_progress(list(pairs), "Marking"), strict=True):
        try:
            if alone or not _is_done_in_place(marker, source, pairs):
                made = _mark(marker, source, pairs[source], args, content)
                _report(pairs[source], args.provider, content, made, ensured=args.ensure)
            else:
                kept += 1
            done += 1
        except Exception as error:  # whatever is wrong with one picture, the others are marked
            if alone and isinstance(error, UserError):
                raise
            if alone:
                raise UserError(about_file(source, error)) from error
            show_unexpected(error)
            print(f"watermark: {about_file(source, error)}", file=sys.stderr)
            if isinstance(error, MarkLostError):
                alone_again = _alone(args, source, pairs[source], content)
                print(f"note: this one alone, with other options: {alone_again}", file=sys.stderr)
            if isinstance(error, DiskError):
                break
    if not alone:
        ids = "random content IDs" if args.content is None else f"content {contents[0]} to {contents[-1]}"
        under = f", provider {args.provider}, {ids}" if done > kept else ""
        left = f"; {kept} left as they are" if kept else ""
        print(f"{done - kept} of {len(pairs)} pictures marked{under}{left}")
    return 0 if done == len(pairs) else 2


def _alone(args: argparse.Namespace, source: Path, target: Path, content: int) -> str:
    """How one picture of a folder is marked by itself: the whole folder again would meet what it has written."""
    ids = f"--provider {args.provider}" + ("" if args.content is None else f" --content {content}")
    return f"watermark embed {shown(shlex.quote(str(source)))} {shown(shlex.quote(str(target)))} {ids} ..."


def _is_done_in_place(marker: "Watermarker", source: Path, pairs: dict[Path, Path]) -> bool:
    """Whether a picture that would be replaced has a mark of this key, as those that an interrupted run has done.

    A link to another of the pictures is done where that one is.
    """
    from watermark.files import is_one_file, look

    if not is_one_file(source, pairs[source]):
        return False
    if source.is_symlink() and any(other.samefile(source) for other in pairs if not other.is_symlink()):
        print(f"{shown(source)}: a link to another of the pictures; left as it is", flush=True)
        return True
    found = marker.detect(look(source))
    if found.is_marked:
        whose = "" if found.name_uncertain else f" (provider {found.provider_id}, content {found.content_id})"
        print(f"{shown(source)}: is marked with this key already{whose}; left as it is", flush=True)
    return found.is_marked


def _contents(marker: "Watermarker", provider: int, first: int | None, count: int) -> list[int]:
    """A content ID for each picture; all must fit before the first picture is touched."""
    from watermark.codec import Payload

    layout = marker.codec.layout
    drawn = [secrets.randbelow(2**layout.content_bits) for _ in range(count)]
    contents = drawn if first is None else list(range(first, first + count))
    try:
        for number in (*contents[:1], *contents[-1:]):
            layout.validate(Payload(provider, number))
    except ValueError as error:
        said = re.sub(r"^(provider|content)_id must be an integer from", r"--\1: expected", str(error))
        raise UserError(said) from None
    return contents


def _pairs(source: Path, target: Path, every_frame: bool) -> dict[Path, Path]:
    """Every input and where it goes; what is not looked at is said."""
    from watermark.files import is_below, targets
    from watermark.files.formats import of_suffix

    if not source.exists():
        raise UserError(f"{shown(source)}: no such file or folder")
    if not source.is_dir():
        return {source: target / source.name if target.is_dir() else target}
    if target.is_file():
        raise UserError(f"{shown(target)}: expected a folder for the pictures of {shown(source)}, got a file")
    if not target.is_dir() and of_suffix(target.suffix):
        said = f"expected a folder for the pictures of {shown(source)}, got the name of a picture"
        raise UserError(f"{shown(target)}: {said}")
    files = [path for path in expand([source]) if not is_below(path, source, target)]
    if not files:
        raise UserError(f"{shown(source)}: no pictures in this folder but those in {shown(target)}")
    return targets(files, source, target, every_frame=every_frame)


def _mark(marker: "Watermarker", source: Path, target: Path, args: argparse.Namespace, content: int) -> "Marked":
    from watermark.mark_file import mark_file

    def stronger(psnr: float) -> "Watermarker":
        return load_marker(argparse.Namespace(**{**vars(args), "set": [*args.set, f"target_psnr={psnr}"]}))

    return mark_file(
        marker,
        source,
        target,
        args.provider,
        content,
        overwrite=args.overwrite,
        quality=args.quality,
        preflight=args.preflight,
        stronger=stronger if args.ensure else None,
        every_frame=args.every_frame,
    )


def _report(target: Path, provider: int, content: int, made: "Marked", *, ensured: bool) -> None:
    """One line of the picture, and one each of what was not kept and of what it may not survive."""
    name = shown(target)
    frames = made.psnr_of_frames
    least, most = f"{made.psnr:.1f}", f"{max(frames):.1f}"
    quality = (least if least == most else f"{least} to {most}") + " dB"
    quality += f", {len(frames)} frames" if len(frames) > 1 else ""
    print(f"{name}: provider {provider}, content {content}, PSNR {quality}", flush=True)
    say_quality(target, made.quality)
    say_left_out(target, made.lost, made.dropped)
    if made.weak:
        after = ", ".join(f"{what} (log10 p {log10_p:.1f})" for what, log10_p in made.weak)
        hint = "a stronger mark does not help" if ensured else "--ensure marks it more strongly"
        print(f"warning: {name}: the mark will not be found after {after}; {hint}", file=sys.stderr)
