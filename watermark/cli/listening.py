"""What verbs that run a web server share: where it listens, and how it stops."""

import argparse
import signal
import socket
from typing import Protocol

from watermark.errors import UserError
from watermark.shown import reason


class Server(Protocol):
    """Uvicorn's."""

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer until a signal says stop."""


def add_listening_options(parser: argparse.ArgumentParser, port: int) -> None:
    """``--host`` and ``--port``."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: %(default)s)")
    parser.add_argument("--port", type=int, default=port, help="0 takes a free one (default: %(default)s)")


def check_port(port: int) -> None:
    """Raises: UserError: if it is none."""
    if not 0 <= port < 65536:
        raise UserError(f"--port: expected 0 to 65535, got {port}")


def listen(host: str, port: int) -> socket.socket:
    """Bound before anything is loaded: a port that is taken is told at once."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise UserError(f"--host {host} --port {port}: cannot listen there ({reason(error)})") from None


def address(listening: socket.socket) -> str:
    """``http://127.0.0.1:8000``."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def run_until_stopped(server: Server, listening: socket.socket) -> None:
    """Uvicorn finishes what it has on SIGTERM and SIGINT, and then raises them again, which here means nothing more."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    server.run(sockets=[listening])
