"""`watermark pipeline embed|detect SOURCE TARGET`: mark or read pictures by the million, on Ray or on this machine.

SOURCE is a folder of pictures, a .parquet manifest (columns uri and, if you like, provider and content) or .tar
files as webdataset writes them; here, on s3:// or on gs://. A run that was stopped goes on with the same command.
"""

import argparse
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watermark.cli.identity_options import add_label_options, add_registry_option, check_visible
from watermark.cli.keyrings import add_keyring_options, load_reader
from watermark.cli.marking import (
    add_device_option,
    add_false_positive_option,
    add_file_options,
    add_misattribution_option,
    add_scheme_options,
    add_search_option,
    add_sync_key_option,
    check_quality,
)
from watermark.errors import UserError
from watermark.shown import shown

if TYPE_CHECKING:
    from watermark.pipeline import Job, Outcome
    from watermark.pipeline.estimate import Estimate
    from watermark.pipeline.run import Execute
    from watermark.pipeline.store import Place

SHARD_SIZE = 10_000
VERSIONS = ("robust-watermark", "torch", "numpy", "pillow", "opencv-python-headless")
"""Whose version may change what is written."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    text = "mark or read pictures by the million, on Ray or on this machine"
    parser = subparsers.add_parser("pipeline", help=text, description=__doc__)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    embed = actions.add_parser("embed", help="reserve IDs, mark, label and record; write tars, or a mirror of a folder")
    _add_places(embed)
    embed.add_argument(
        "--provider", type=int, metavar="ID", help="provider ID: a slot; of pictures whose manifest names none"
    )
    embed.add_argument(
        "--key-file", type=Path, required=True, action="append", help="the slot's key; repeat it for several providers"
    )
    add_sync_key_option(embed)
    add_registry_option(embed)
    add_label_options(embed, None)
    embed.add_argument("--mirror", action="store_true", help="write pictures under their own names instead of tars")
    add_device_option(embed)
    _finish(embed, _embed)

    detect = actions.add_parser("detect", help="look for a mark in every picture; write one row each")
    _add_places(detect)
    add_false_positive_option(detect)
    add_misattribution_option(detect)
    add_keyring_options(detect)
    add_search_option(detect)
    add_scheme_options(detect)
    _finish(detect, _detect)


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", metavar="SOURCE", help="a folder, a .parquet manifest, or .tar files; or s3://, gs://"
    )
    parser.add_argument(
        "--anywhere",
        action="store_true",
        help="believe a manifest that names pictures outside of its own folder; a stranger's could name files of yours",
    )
    parser.add_argument("target", metavar="TARGET", help="the folder to fill, here or there")


def _finish(parser: argparse.ArgumentParser, run: Any) -> None:
    parser.add_argument(
        "--shard-size", type=int, default=SHARD_SIZE, metavar="N", help="pictures a shard (default: %(default)s)"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="shards at a time (default: one for each core)")
    parser.add_argument(
        "--engine",
        choices=["ray", "processes"],
        default="ray",
        help="Ray Data, or processes of this machine without it (default: %(default)s)",
    )
    parser.add_argument("--address", help="of a Ray cluster, or auto (default: start Ray on this machine)")
    parser.add_argument("--dry-run", action="store_true", help="say what it would cost, and write nothing")
    add_file_options(parser)
    parser.set_defaults(run=run)


def _embed(args: argparse.Namespace) -> int:
    """Exit status 0 if every picture was marked, 1 if some failed."""
    from watermark.keystore import KeyFile
    from watermark.pipeline import Job, sources
    from watermark.pipeline.embedding import Embedder, Marking

    source, target = _places(args)
    check_quality(args.quality)
    check_visible(args)
    if args.mirror and sources.kind_of(source) != sources.FOLDER:
        raise UserError(f"--mirror: expected a folder of pictures, got {shown(source)}")
    marking = Marking(
        registry=args.registry if "://" in args.registry else str(Path(args.registry).absolute()),
        key_files=tuple(path.absolute() for path in args.key_file),
        sync_key_file=args.sync_key_file and args.sync_key_file.absolute(),
        mirror=args.mirror,
        label=args.label,
        draw_visible=args.visible == "draw",
        explicit_label=args.visible != "none",
        recipient=args.recipient,
        quality=args.quality,
        target_psnr=args.target_psnr,
        device=args.device,
        max_pixels=args.max_pixels,
    )
    here = Embedder(marking, target)
    if args.provider is not None:
        here.issuer.slot(args.provider)
    entries = lambda: here.entries(source, args.provider, args.anywhere)  # noqa: E731
    if args.dry_run:
        from watermark.pipeline.estimate import estimate

        return _tell_cost(args, estimate(entries(), here.rehearse), "registry rows and content IDs")
    facts = {
        "provider": args.provider,
        "keys": sorted(here.issuer.keys),
        "sync_key": KeyFile.load(args.sync_key_file).key_id if args.sync_key_file else None,
        "label": args.label,
        "visible": args.visible,
        "recipient": here.recipient,
        "quality": args.quality,
        "target_psnr": args.target_psnr,
        "mirror": args.mirror,
    }
    job = Job(
        target,
        _settings(args, source, facts),
        entries,
        here.issuer.reserve,
        partial(Embedder, marking, target),
        args.shard_size,
        tars=not args.mirror,
        check=here.issuer.check,
    )
    return _run(args, job)


def _detect(args: argparse.Namespace) -> int:
    """Exit status 0 if every picture was read, 1 if some failed; whether they are marked stands in the rows."""
    from watermark.pipeline import Job, sources
    from watermark.pipeline.detecting import Examiner

    source, target = _places(args)
    for name in ("key_file", "sync_key_file", "keyring"):
        if (path := getattr(args, name)) is not None:
            setattr(args, name, path.absolute())
    args.run = None  # what is left can be sent to another process
    build = partial(load_reader, args)
    here = Examiner(build, target, args.max_pixels)
    if args.dry_run:
        from watermark.pipeline.estimate import estimate

        return _tell_cost(args, estimate(sources.entries(source, args.anywhere), here.rehearse), "rows")
    facts = {
        "scheme": args.scheme,
        "layout": args.layout,
        "set": args.set,
        "search": args.search,
        "keys": _fingerprints(args),
        "false_positive_rate": args.false_positive_rate,
        "misattribution_rate": args.misattribution_rate,
    }
    worker = partial(Examiner, build, target, args.max_pixels)
    settings = _settings(args, source, facts)
    job = Job(
        target, settings, partial(sources.entries, source, args.anywhere), None, worker, args.shard_size, tars=False
    )
    return _run(args, job)


def _places(args: argparse.Namespace) -> "tuple[Place, Place]":
    from watermark.pipeline.store import Place

    for option in ("shard_size", "workers"):
        if (value := getattr(args, option)) is not None and value < 1:
            raise UserError(f"--{option.replace('_', '-')}: expected at least 1, got {value}")
    source, target = Place.of(args.source), Place.of(args.target)
    if source.scheme == target.scheme and f"{target.path}/".startswith(f"{source.path}/"):
        raise UserError(f"{shown(target)}: expected a target outside of the source")
    return source, target


def _settings(args: argparse.Namespace, source: "Place", facts: dict[str, Any]) -> dict[str, Any]:
    """Everything that changes results: a target has one set of them for ever."""
    from importlib.metadata import version

    from watermark.files import max_pixels

    return {
        "source": str(source),
        "shard_size": args.shard_size,
        "max_pixels": max_pixels(),
        "versions": {name: version(name) for name in VERSIONS},
        **facts,
    }


def _fingerprints(args: argparse.Namespace) -> dict[str, Any]:
    """The names of the keys, which tell nothing about them."""
    from watermark.keystore import KeyFile

    ring = sorted(path for path in args.keyring.iterdir() if path.is_file()) if args.keyring else []
    files = [path for path in (args.key_file, args.sync_key_file) if path]
    return {path.name if path in ring else "": KeyFile.load(path).key_id for path in [*ring, *files]}


def _run(args: argparse.Namespace, job: "Job") -> int:
    from watermark.cli.pipeline_progress import watch
    from watermark.pipeline import run

    outcome = run(job, _engine(args), watch)
    _tell(job, outcome)
    return int(outcome.failed > 0)


def _engine(args: argparse.Namespace) -> "Execute":
    from watermark.pipeline.executors import in_processes, on_ray

    workers = args.workers or (None if args.address else len(os.sched_getaffinity(0)))
    if args.engine == "processes":
        if args.address:
            raise UserError("--address: expected with --engine ray only")
        return partial(in_processes, workers=workers or 1)
    return partial(on_ray, workers=workers, address=args.address, gpus=int(_wants_gpu(args.device)))


def _wants_gpu(device: str) -> bool:
    if device == "auto":
        import torch

        return torch.cuda.is_available()
    return device.startswith("cuda")


def _tell(job: "Job", outcome: "Outcome") -> None:
    from watermark.pipeline.run import MANIFEST

    plan = outcome.plan
    failed = f", {outcome.failed:,} failed: see the column error of the rows" if outcome.failed else ""
    before = plan.shards - outcome.made
    earlier = f" ({before:,} of them before)" if before else ""
    print(f"{plan.pictures - outcome.failed:,} of {plan.pictures:,} pictures{failed}")
    print(
        f"{plan.shards:,} shard{'' if plan.shards == 1 else 's'}{earlier}, {outcome.bytes_written / 1e6:,.1f} MB, "
        f"{outcome.core_seconds / 3600:,.2f} core-hours; {shown(job.target / MANIFEST)}"
    )


def _tell_cost(args: argparse.Namespace, found: "Estimate", rows: str) -> int:
    each = found.core_seconds
    shards = -(-found.pictures // args.shard_size)
    broken = f", {found.failed} failed" if found.failed else ""
    size = f"{found.bytes_read / 1e6:,.1f} MB to read"
    print(f"{found.pictures:,} pictures, {size}, {shards:,} shard{'' if shards == 1 else 's'} of {args.shard_size:,}")
    print(
        f"{found.core_hours:,.2f} core-hours: {sum(each) / len(each):.3f} core-seconds a picture "
        f"({each[0]:.3f} to {each[-1]:.3f} of {len(each)} that were tried here{broken})"
    )
    print(f"{found.bytes_written / 1e6:,.1f} MB of pictures to write, {found.pictures:,} {rows}; nothing was written")
    return 0
