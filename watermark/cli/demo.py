"""`watermark demo`: mark a picture, attack it with sliders and read it, side by side in the browser.

It runs until it is stopped. The page asks no other address, and pictures are removed when the demo stops.
"""

import argparse
import logging
import secrets
import tempfile
from pathlib import Path

from watermark.cli import missing
from watermark.cli.listening import add_listening_options, address, check_port, listen, run_until_stopped
from watermark.cli.marking import add_file_options
from watermark.service.settings import LOCAL

log = logging.getLogger(__name__)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("demo", help="mark, attack and read in the browser", description=__doc__)
    parser.add_argument("--key-file", type=Path, help="mark and read with this key (default: one drawn for this run)")
    add_listening_options(parser, port=7860)
    add_file_options(parser)
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto: a GPU where there is one")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 once it was stopped."""
    check_port(args.port)
    key = _key(args.key_file)
    try:
        import uvicorn
        from PIL import Image
        from skimage import data

        from watermark.demo.app import make_app
        from watermark.demo.work import Markers

        with tempfile.TemporaryDirectory(prefix="watermark-demo-") as folder:
            hosts = LOCAL if args.host in LOCAL else None
            app = make_app(Markers(key, args.device), Path(folder), Image.fromarray(data.coffee()), hosts)
            listening = listen(args.host, args.port)
            if args.host not in LOCAL:
                log.warning("--host %s: whoever reaches this address can mark and read with the demo's key", args.host)
            print(f"demo at {address(listening)}; Ctrl-C stops it", flush=True)
            config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1)
            run_until_stopped(uvicorn.Server(config), listening)
    except ModuleNotFoundError as error:
        raise missing(error, "demo") from None
    return 0


def _key(path: Path | None) -> bytes:
    if path is None:
        return secrets.token_bytes(32)
    from watermark.keystore import load_key

    return load_key(path)
