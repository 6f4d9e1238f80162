"""`watermark issue IN OUT --provider SLOT`: allocate an ID, mark, label, check and record one picture, all or nothing.

The slot says which scheme marks (`watermark registry add-slot --scheme`). The file carries the invisible mark, the AIGC
metadata label and, unless you say otherwise, a visible label in a corner.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from watermark.cli.identity_options import (
    add_label_options,
    add_registry_option,
    check_visible,
    load_keys,
    open_registry,
)
from watermark.cli.marking import (
    add_file_options,
    add_sync_key_option,
    check_quality,
    say_left_out,
    say_quality,
    sync_key,
)
from watermark.errors import UserError
from watermark.shown import shown

if TYPE_CHECKING:
    from watermark.identity.issuing import Prepared
    from watermark.labels.manifest import Credentials


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    text = "allocate an ID, mark, label and record a picture, all or nothing"
    parser = subparsers.add_parser("issue", help=text, description=__doc__)
    parser.add_argument("input", type=Path, metavar="IN", help="the generated picture")
    parser.add_argument("output", type=Path, metavar="OUT", help="the released file: .jpg .png .webp .avif or .tiff")
    parser.add_argument(
        "--provider", type=int, required=True, metavar="ID", help="provider ID: a slot (watermark registry slots)"
    )
    parser.add_argument("--key-file", type=Path, required=True, help="the slot's key")
    add_sync_key_option(parser)
    add_registry_option(parser)
    add_label_options(parser, "draw")
    parser.add_argument("--produce-id", help="your number for the picture (default: made from slot and content ID)")
    parser.add_argument("--visible-text", default="AI生成", help="of the drawn label (default: %(default)s)")
    parser.add_argument("--font", type=Path, help="font file for other texts than AI生成 or AI合成")
    parser.add_argument(
        "--certificate", type=Path, metavar="PEM", help="sign a C2PA manifest into OUT, bound to the mark"
    )
    parser.add_argument("--signing-key", type=Path, metavar="PEM", help="private key of the certificate")
    parser.add_argument("--signing-algorithm", default="es256", help="of the signature (default: %(default)s)")
    parser.add_argument("--owner", help="your domain, reversed, under which the mark's algorithm is named: org.example")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT")
    add_file_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 if the picture was issued."""
    from watermark.identity import Request, issue
    from watermark.identity.markers import marker_for

    check_quality(args.quality)
    check_visible(args)
    (key,) = load_keys([args.key_file])
    registry = open_registry(args, key)
    slot = registry.slot(args.provider)
    if slot is None:
        raise UserError(f"slot {args.provider} is not defined in this registry; see: watermark registry add-slot")
    request = Request(
        source=args.input,
        target=args.output,
        slot=args.provider,
        label=args.label,
        produce_id=args.produce_id,
        draw_visible=args.visible == "draw",
        explicit_label=args.visible != "none",
        recipient=args.recipient,
        visible_text=args.visible_text,
        font=args.font,
        overwrite=args.overwrite,
        quality=args.quality,
        credentials=_credentials(args),
    )
    marker = marker_for(slot, key, args.target_psnr, sync_key=sync_key(args))
    notes: list[Prepared] = []
    record = issue(request, registry, marker, key.key_id, tell=notes.append)
    ids = f"provider {record.slot}, content {record.content_id}"
    print(f"{shown(args.output)}: issued as {ids}, kept until {record.retain_until}")
    for made in notes:
        say_quality(args.output, made.quality)
        say_left_out(args.output, made.lost, made.dropped)
    return 0


def _credentials(args: argparse.Namespace) -> "Credentials | None":
    from watermark.labels.manifest import ALGORITHMS, Credentials

    given = args.certificate, args.signing_key
    if given == (None, None):
        return None
    if None in given or args.owner is None:
        raise UserError("a C2PA manifest needs --certificate, --signing-key and --owner")
    if args.signing_algorithm not in ALGORITHMS:
        raise UserError(
            f"--signing-algorithm: expected one of {', '.join(ALGORITHMS)}, got {shown(args.signing_algorithm)}"
        )
    return Credentials.load(*given, args.signing_algorithm, args.owner)
