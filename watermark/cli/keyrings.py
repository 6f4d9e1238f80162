"""What `detect` and `locate` share: one key, or a folder with the keys of many providers."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from watermark.cli.marking import load_marker, settings_of, sync_key
from watermark.errors import UserError
from watermark.shown import shown

if TYPE_CHECKING:
    from watermark.keyring import Keyring
    from watermark.watermarker import Watermarker


def add_keyring_options(parser: argparse.ArgumentParser) -> None:
    """``--keyring``."""
    parser.add_argument(
        "--keyring",
        type=Path,
        metavar="FOLDER",
        help="key files of many providers, each named after its own (7.key); who proves a mark is named",
    )


def load_reader(args: argparse.Namespace) -> "Watermarker | Keyring":
    """A ring of keys if a folder is given, else the marker of one key, at the promised rates.

    Raises:
        UserError: both are given, the folder holds no keys, or see ``load_marker``.
    """
    asked = {name: getattr(args, name) for name in ("false_positive_rate", "misattribution_rate", "search")}
    if args.keyring is None:
        return load_marker(args, **asked)
    if args.key_file is not None:
        raise UserError("expected --keyring or --key-file, got both")
    keys = keys_of(args.keyring)
    from watermark.keyring import Keyring

    try:
        return Keyring.load(
            args.scheme,
            keys,
            sync_key=sync_key(args),
            layout=args.layout,
            device=args.device,
            **(asked | settings_of(args.set)),
        )
    except (ValueError, RuntimeError) as error:
        raise UserError(str(error).splitlines()[0]) from None


def keys_of(folder: Path) -> dict[int, bytes]:
    """The key of each provider: files named after theirs, such as ``7.key`` or ``provider-7.json``.

    Raises:
        UserError: the folder is none or holds no key, a file is named after nobody or is no key file, or two are
            named after one provider.
    """
    from watermark.keystore import load_key

    if not folder.is_dir():
        raise UserError(
            f"{shown(folder)}: expected a folder of key files, got {'a file' if folder.exists() else 'nothing'}"
        )
    owners: dict[int, Path] = {}
    for path in sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")):
        numbers = re.findall(r"[0-9]+", path.stem)
        if len(numbers) != 1:
            expected = "expected a key file named after its one provider, such as 7.key"
            raise UserError(f"{shown(path)}: {expected}; nothing else may lie in a keyring: rename it or move it away")
        other = owners.setdefault(int(numbers[0][:20]), path)
        if other != path:
            raise UserError(f"{shown(path)}: expected one key for each provider, got {shown(other.name)} too")
    if not owners:
        raise UserError(f"{shown(folder)}: expected key files in this folder, such as 7.key, got none")
    return {provider: load_key(path) for provider, path in owners.items()}
