"""`watermark serve`: detection over HTTP, as a page and as an API; it runs until it is stopped."""

import argparse
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from watermark.cli import missing
from watermark.cli.identity_options import add_keys_options, add_registry_option, key_files
from watermark.cli.listening import add_listening_options, address, check_port, listen, run_until_stopped
from watermark.cli.marking import (
    add_false_positive_option,
    add_file_options,
    add_misattribution_option,
    add_search_option,
)
from watermark.errors import UserError
from watermark.service.settings import LOCAL
from watermark.shown import reason, shown

if TYPE_CHECKING:
    from watermark.service.settings import Settings

PUBLIC_RATE, PUBLIC_NEAR_COPIES = 30, 20
LEAST_TOKEN, MOST_TOKEN = 16, 4096
"""Characters of a token that nobody guesses, and bytes of its file."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("serve", help="answer over HTTP whose pictures these are", description=__doc__)
    add_keys_options(parser)
    add_registry_option(parser)
    parser.add_argument(
        "--public",
        action="store_true",
        help="strangers ask: answers give no measure, and each client's questions are bounded",
    )
    add_listening_options(parser, port=8000)
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="ask for Authorization: Bearer and the text of this file; with --public only /metrics asks for it",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="processes that look at pictures (default: cores)")
    parser.add_argument(
        "--queue", type=int, default=32, metavar="N", help="uploads that may wait (default: %(default)s)"
    )
    parser.add_argument(
        "--time-limit", type=float, default=20.0, metavar="S", help="seconds for one picture (default: %(default)s)"
    )
    parser.add_argument(
        "--max-bytes", type=int, default=32 * 2**20, metavar="N", help="of one upload (default: %(default)s)"
    )
    add_file_options(parser)
    parser.add_argument(
        "--rate",
        type=int,
        metavar="N",
        help=f"requests of a client a minute (default: {PUBLIC_RATE} if public, else any)",
    )
    parser.add_argument(
        "--near-copies",
        type=int,
        metavar="N",
        help=f"versions of one picture a client may ask about in an hour (default: {PUBLIC_NEAR_COPIES} if public)",
    )
    parser.add_argument(
        "--fetch", choices=["yes", "no"], default="yes", help="take pictures by their https address (default: yes)"
    )
    parser.add_argument(
        "--owner", help="your domain, reversed (org.example): answer C2PA's soft-binding resolution under its names"
    )
    parser.add_argument("--journal", type=Path, metavar="DIR", help="keep an audit log and feedback, never a picture")
    parser.add_argument(
        "--journal-days", type=int, default=30, metavar="N", help="after which they are removed (default: %(default)s)"
    )
    parser.add_argument(
        "--behind", metavar="ADDRESS", help="a proxy whose word on who asks is taken (X-Forwarded-For), or several, a,b"
    )
    add_false_positive_option(parser, "of a whole answer")
    add_misattribution_option(parser)
    add_search_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 once it was stopped and has finished what it had."""
    try:
        import uvicorn

        from watermark.service.app import make_app, make_pool
        from watermark.service.connections import Impatient
        from watermark.service.watching import log_to_stderr
    except ModuleNotFoundError as error:
        raise missing(error, "serve") from None
    settings = _settings(args)
    listening = listen(args.host, args.port)
    pool = make_pool(settings)
    app = make_app(settings, pool)
    log_to_stderr()
    pool.start()
    kind = "public answers" if settings.public else "all evidence"
    workers = "1 worker" if settings.workers == 1 else f"{settings.workers} workers"
    print(f"serving {address(listening)} ({kind}, {workers}); Ctrl-C stops it", flush=True)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=args.behind is not None,
        forwarded_allow_ips=args.behind,
        http=Impatient,
        ws="none",
        timeout_keep_alive=15,
        timeout_graceful_shutdown=int(settings.seconds + settings.upload_seconds) + 1,
    )
    run_until_stopped(uvicorn.Server(config), listening)
    return 0


def _settings(args: argparse.Namespace) -> "Settings":
    from watermark.service.settings import Settings, cores

    workers = cores() if args.workers is None else args.workers
    for option, value, least in (
        ("--workers", workers, 1),
        ("--queue", args.queue, 1),
        ("--max-bytes", args.max_bytes, 1024),
        ("--journal-days", args.journal_days, 1),
        ("--time-limit", args.time_limit, 0.1),
        ("--rate", args.rate or 0, 0),
        ("--near-copies", args.near_copies or 0, 0),
    ):
        if not value >= least:
            raise UserError(f"{option}: expected at least {least}, got {value}")
    check_port(args.port)
    token = None if args.token_file is None else _token(args.token_file)
    if not args.public and token is None and args.host not in LOCAL:
        raise UserError(f"--host {args.host}: others could ask for all evidence; say --public or --token-file FILE")
    return Settings(
        registry=args.registry,
        key_files=tuple(key_files(args)),
        sync_key_file=args.sync_key_file,
        public=args.public,
        token=token,
        workers=workers,
        queue=args.queue,
        seconds=args.time_limit,
        max_bytes=args.max_bytes,
        rate=_or(args.rate, PUBLIC_RATE if args.public else 0),
        near_copies=_or(args.near_copies, PUBLIC_NEAR_COPIES if args.public else 0),
        fetch=args.fetch == "yes",
        owner=args.owner,
        journal=args.journal,
        journal_days=args.journal_days,
        false_positive_rate=args.false_positive_rate,
        misattribution_rate=args.misattribution_rate,
        search=args.search,
    )


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _refuse_loose(path: Path, facts: os.stat_result) -> None:
    if facts.st_mode & 0o077:
        raise UserError(f"{shown(path)}: others may read this token; run: chmod 600 {shown(path)}")


def _token(path: Path) -> str:
    from watermark.files import read_regular

    try:
        token = read_regular(path, MOST_TOKEN, partial(_refuse_loose, path)).decode().strip()
    except UnicodeDecodeError as error:
        raise UserError(f"{shown(path)}: cannot be read ({reason(error)})") from None
    if len(token) < LEAST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise UserError(f"{shown(path)}: expected a token of at least {LEAST_TOKEN} letters and digits")
    return token
