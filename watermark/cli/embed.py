"""`watermark embed IN OUT --provider 7 --content 123`: mark one picture, or every picture of a folder.

Without --content every picture gets a random content ID, and its line says which. Never mark many pictures with one ID:
who averages them has the mark.
"""

import argparse
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from watermark.cli.marking import add_scheme_options, expand, load_marker, with_progress
from watermark.errors import UserError

if TYPE_CHECKING:
    from watermark.watermarker import Watermarker


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser("embed", help="mark a picture or a folder of pictures", description=__doc__)
    parser.add_argument("input", type=Path, help="a picture, or a folder of pictures")
    parser.add_argument("output", type=Path, help="the marked picture; for a folder, the folder to fill")
    parser.add_argument("--provider", type=int, required=True, help="provider ID")
    parser.add_argument(
        "--content", type=int, help="content ID; in a folder the first one, counting up (default: random)"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace existing files, the input too if OUT names it"
    )
    parser.add_argument("--quality", type=int, help="of JPEG, WebP or AVIF output, 1 to 100 (default: 95, AVIF 90)")
    add_scheme_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 if every picture was marked, 2 otherwise."""
    pairs = _pairs(args.input, args.output)
    if args.quality is not None and not 1 <= args.quality <= 100:
        raise UserError(f"--quality: expected 1 to 100, got {args.quality}")
    marker = load_marker(args)
    contents = _contents(marker, args.provider, args.content, len(pairs))
    failed = 0
    for content, source in zip(contents, with_progress(list(pairs), "Marking"), strict=True):
        try:
            line = _embed(marker, source, pairs[source], args, content)
            print(line)
        except (UserError, ValueError) as error:
            if len(pairs) == 1:
                raise UserError(str(error)) from None
            failed += 1
            print(f"watermark: {error}", file=sys.stderr)
    if len(pairs) > 1:
        ids = "random content IDs" if args.content is None else f"content {contents[0]} to {contents[-1]}"
        print(f"{len(pairs) - failed} of {len(pairs)} pictures marked, provider {args.provider}, {ids}")
    return 2 if failed else 0


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
        raise UserError(str(error)) from None
    return contents


def _pairs(source: Path, target: Path) -> dict[Path, Path]:
    from watermark.files import WRITABLE

    if not source.exists():
        raise UserError(f"{source}: no such file or folder")
    if not source.is_dir():
        return {source: target / source.name if target.is_dir() else target}
    if target.is_file():
        raise UserError(f"{target}: expected a folder for the pictures of {source}, got a file")
    files = [
        path
        for path in expand([source])
        if target.resolve() not in path.resolve().parents or target.resolve() == source.resolve()
    ]
    names = [path.relative_to(source) for path in files]
    return {
        path: target / (name if name.suffix.lower() in WRITABLE else name.with_suffix(".png"))
        for path, name in zip(files, names, strict=True)
    }


def _embed(marker: "Watermarker", source: Path, target: Path, args: argparse.Namespace, content: int) -> str:
    from watermark.files import check_target, load, save
    from watermark.metrics.psnr import psnr
    from watermark.pixels import to_tensor

    check_target(target, args.overwrite)
    image = load(source)
    try:
        marked = marker.embed(image, provider_id=args.provider, content_id=content)
    except ValueError as error:
        raise UserError(f"{source}: {error}") from None
    save(marked, target, overwrite=args.overwrite, quality=args.quality)
    quality = float(psnr(to_tensor(marked), to_tensor(image)))
    return f"{target}: provider {args.provider}, content {content}, PSNR {quality:.1f} dB"
