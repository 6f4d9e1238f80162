"""`watermark registry ACTION`: define provider slots, look records up, verify the chain, purge what may go."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from watermark.cli.identity_options import add_registry_option, load_keys, open_registry
from watermark.errors import UserError
from watermark.shown import json_shown, shown

if TYPE_CHECKING:
    from watermark.registry import History


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("registry", help="keep and check the record of issued IDs", description=__doc__)
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    slot = actions.add_parser("add-slot", help="define a provider slot, for ever")
    slot.add_argument("slot", type=int, metavar="SLOT", help="provider slot")
    slot.add_argument("--code", required=True, help="27-character provider code")
    slot.add_argument("--scheme", default="tile_spread", help="a name under configs/scheme (default: %(default)s)")
    slot.add_argument("--scheme-version", default="3", help="of the scheme's mark (default: %(default)s)")
    slot.add_argument("--layout", default="l64", help="a name under configs/layout (default: %(default)s)")
    _finish(slot, _add_slot, key="required")

    _finish(actions.add_parser("slots", help="list the provider slots"), _slots)

    show = actions.add_parser("show", help="everything recorded about one content ID")
    show.add_argument("slot", type=int, metavar="SLOT", help="provider slot")
    show.add_argument("content_id", type=int, metavar="CONTENT", help="content ID")
    show.add_argument(
        "--json", action="store_true", help="the record as it is kept, with the thumbnail, as one JSON object"
    )
    _finish(show, _show)

    verify = actions.add_parser("verify", help="find altered, removed or reordered records; exit status 1 if any")
    verify.add_argument(
        "--anchor", action="append", default=[], metavar="COUNT:HASH", help="printed by an earlier verification"
    )
    verify.add_argument("--full", action="store_true", help="walk all records, also those before the last checkpoint")
    _finish(verify, _verify, key="optional")

    purge = actions.add_parser("purge", help="empty records whose retention is over")
    purge.add_argument(
        "records", type=int, nargs="*", metavar="RECORD", help="only these (default: all whose time has come)"
    )
    _finish(purge, _purge, key="required")

    reserve = actions.add_parser("reserve", help="take a block of content IDs for an allocator elsewhere, as JSON")
    reserve.add_argument("slot", type=int, metavar="SLOT", help="provider slot")
    reserve.add_argument("count", type=int, metavar="COUNT", help="how many")
    _finish(reserve, _reserve, key="required")

    spread = actions.add_parser("add-propagator", help="record that a service spread an issued picture")
    spread.add_argument("slot", type=int, metavar="SLOT", help="provider slot")
    spread.add_argument("content_id", type=int, metavar="CONTENT", help="content ID")
    spread.add_argument("propagator", metavar="PROPAGATOR", help="code of the service")
    spread.add_argument("propagate_id", metavar="PROPAGATE_ID", help="its number for the picture")
    _finish(spread, _add_propagator, key="required")

    binding = actions.add_parser("soft-binding", help="a C2PA soft-binding assertion for an issued picture, as JSON")
    binding.add_argument("slot", type=int, metavar="SLOT", help="provider slot")
    binding.add_argument("content_id", type=int, metavar="CONTENT", help="content ID")
    binding.add_argument("--owner", required=True, help="your domain, reversed: org.example")
    _finish(binding, _soft_binding)


def _finish(parser: argparse.ArgumentParser, run: object, key: str | None = None) -> None:
    add_registry_option(parser)
    if key:
        parser.add_argument("--key-file", type=Path, required=key == "required", help="the registry's key")
    parser.set_defaults(run=run)


def _add_slot(args: argparse.Namespace) -> int:
    from watermark.config import build_named, config_file
    from watermark.labels.provider_code import ProviderCode
    from watermark.registry import Slot

    try:
        config_file("scheme", args.scheme)
        layout = build_named("layout", args.layout)
    except ValueError as error:
        raise UserError(str(error)) from None
    if not 0 <= args.slot < 1 << layout.provider_bits:
        last = (1 << layout.provider_bits) - 1
        raise UserError(f"expected a slot from 0 to {last} in layout {args.layout}, got {args.slot}")
    ProviderCode.parse(args.code)  # before a registry is made
    (key,) = load_keys([args.key_file])
    slot = Slot(args.slot, args.code, key.key_id, args.scheme, args.scheme_version, args.layout, layout.content_bits)
    open_registry(args, key, create=True).add_slot(slot)
    print(shown(f"slot {slot.slot}: {slot.content_producer}, {slot.algorithm} {slot.layout}, key {slot.key_id}"))
    return 0


def _slots(args: argparse.Namespace) -> int:
    for slot in open_registry(args, None).slots():
        scheme = f"{slot.algorithm} {slot.algorithm_version} {slot.layout}, {slot.content_bits} content bits"
        print(shown(f"slot {slot.slot}: {slot.content_producer}, {scheme}, key {slot.key_id}"))
    return 0


def _show(args: argparse.Namespace) -> int:
    found = open_registry(args, None).find(args.slot, args.content_id)
    if found is None:
        raise UserError(f"content ID {args.content_id} of slot {args.slot} is not recorded")
    print(json_shown(found.as_dict(), indent=2) if args.json else "\n".join(map(shown, _lines(args, found))))
    return 0


LABELS = {"1": "1, generated by AI", "2": "2, possibly generated by AI", "3": "3, suspected to be generated by AI"}


def _lines(args: argparse.Namespace, found: "History") -> Iterator[str]:
    """What a person wants to know of one content ID; a purged record has left its number and its dates only."""
    yield f"provider {args.slot}, content {args.content_id}: record {found.sequence}"
    if (record := found.record) is None:
        yield f"  purged      its retention ended {found.retain_until}"
    else:
        yield f"  issued      {record.created_at}, kept until {record.retain_until}"
        yield f"  code        {record.content_producer}"
        yield f"  number      {record.produce_id}"
        yield f"  label       {LABELS.get(record.label, record.label)}"
        yield f"  seen        {'yes: drawn, or beside the picture' if record.explicit_label else 'no visible label'}"
        if record.recipient_reference:
            yield f"  recipient   known by the keyed hash {record.recipient_reference}"
        yield f"  mark        {record.algorithm} {record.algorithm_version}, key {record.key_id}"
        yield f"  file        SHA-256 {record.released_sha256}"
        yield f"  looks       {record.perceptual_hash}{', and a thumbnail (--json)' if record.thumbnail else ''}"
        if record.c2pa_manifest_id:
            yield f"  C2PA        {record.c2pa_manifest_id}"
    for one in found.propagators:
        yield f"  spread      by {one['propagator']} as {one['propagate_id']}, {one['created_at']}"
    if found.withdrawn:
        yield f"  withdrawn   {found.withdrawn}"


def _verify(args: argparse.Namespace) -> int:
    from watermark.registry.checkpoint import DRAWN

    keys = load_keys([args.key_file] if args.key_file else [])
    anchors = [_anchor(text) for text in args.anchor]
    result = open_registry(args, keys[0] if keys else None).verify(anchors, full=args.full)
    for problem in result.problems:
        print(shown(problem))
    if result.head_checked:
        whole, head = "whole", "head checked with the key"
    elif anchors:
        whole, head = "whole", "held against the anchor; head not checked, which --key-file does"
    else:
        whole, head = "no fault found", "head not checked: give --key-file, or --anchor"
    answer = whole if result.ok else f"{len(result.problems)} problems"
    print(f"{result.count} records, {result.purged} purged: {answer} ({head})")
    if result.spared:
        spared = f"1 to {result.spared} lie before the checkpoint: counted, {DRAWN} of them drawn and checked"
        print(f"{spared}; --full walks all")
    print(f"anchor {result.count}:{shown(result.hash)}  (keep it elsewhere, give it to the next verify)")
    return 0 if result.ok else 1


def _anchor(text: str) -> tuple[int, str]:
    count, _, digest = text.partition(":")
    if not count.isdigit() or len(digest) != 64:
        raise UserError(f"--anchor: expected COUNT:HASH, got {text[:80]}")
    return int(count), digest


def _purge(args: argparse.Namespace) -> int:
    count = open_registry(args, load_keys([args.key_file])[0]).purge(args.records or None)
    print(f"{count} records purged")
    return 0


def _reserve(args: argparse.Namespace) -> int:
    registry = open_registry(args, load_keys([args.key_file])[0])
    block = registry.reserve(args.slot, args.count)
    ids = registry.content_ids(block)
    print(json_shown({"slot": block.slot, "start": block.start, "stop": block.stop, "content_ids": ids}))
    return 0


def _add_propagator(args: argparse.Namespace) -> int:
    registry = open_registry(args, load_keys([args.key_file])[0])
    registry.add_propagator(args.slot, args.content_id, args.propagator, args.propagate_id)
    print(f"content {args.content_id} of slot {args.slot}: spread by {shown(args.propagator)}")
    return 0


def _soft_binding(args: argparse.Namespace) -> int:
    from watermark.codec import Payload
    from watermark.config import build_named
    from watermark.labels import soft_binding

    registry = open_registry(args, None)
    slot, found = registry.slot(args.slot), registry.find(args.slot, args.content_id)
    if slot is None or found is None or found.record is None:
        raise UserError(f"content ID {args.content_id} of slot {args.slot} is not recorded")
    name = soft_binding.algorithm_name(args.owner, slot.algorithm, slot.algorithm_version)
    payload = Payload(args.slot, args.content_id, found.record.version)
    data = soft_binding.soft_binding_assertion(name, build_named("layout", slot.layout), payload)
    print(json_shown({"label": soft_binding.ASSERTION, "data": data}, indent=2))
    return 0
