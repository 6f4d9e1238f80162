"""What `issue`, `trace`, `registry` and `serve` share: where the registry is, and which keys."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from watermark.keystore import KeyFile
    from watermark.registry import Registry

DEFAULT_REGISTRY = "watermark-registry.db"


def add_registry_option(parser: argparse.ArgumentParser) -> None:
    """``--registry``."""
    parser.add_argument(
        "--registry",
        default=DEFAULT_REGISTRY,
        metavar="FILE|URL",
        help="SQLite file or SQLAlchemy database URL (default: %(default)s)",
    )


def open_registry(args: argparse.Namespace, key: "KeyFile | None", *, create: bool = False) -> "Registry":
    """The registry, writable if a key is given; made only where the verb says so."""
    from watermark.registry import Registry

    return Registry(args.registry, key.registry_key if key else None, create=create)


def load_keys(paths: Sequence[Path]) -> list["KeyFile"]:
    """Key files in the order given."""
    from watermark.keystore import KeyFile

    return [KeyFile.load(path) for path in paths]
