"""What `embed` and `detect` share: which scheme, which key, which files, and a progress bar over them."""

import argparse
import logging
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from watermark.errors import TRACEBACK, UserError, show_unexpected
from watermark.shown import json_shown, reason, shown

if TYPE_CHECKING:
    from watermark.watermarker import Watermarker

log = logging.getLogger(__name__)
T = TypeVar("T")

DEFAULT_SCHEME = "tile_spread"
PUBLIC_KEY = "public demonstration key"


def add_scheme_options(parser: argparse.ArgumentParser) -> None:
    """Options that embedding and detection must agree on."""
    parser.add_argument("--scheme", default=DEFAULT_SCHEME, help="a name under configs/scheme (default: %(default)s)")
    parser.add_argument("--key-file", type=Path, help="the secret (make one with: watermark key new FILE)")
    add_sync_key_option(parser)
    parser.add_argument("--layout", default="l64", help="a name under configs/layout (default: %(default)s)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the scheme, for example --set target_psnr=40",
    )
    add_device_option(parser)


def add_sync_key_option(parser: argparse.ArgumentParser) -> None:
    """``--sync-key-file``."""
    parser.add_argument(
        "--sync-key-file", type=Path, help="a second secret, shared by providers whose marks are read together"
    )


def add_device_option(parser: argparse.ArgumentParser) -> None:
    """``--device``."""
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto: a GPU where there is one")


def add_file_options(parser: argparse.ArgumentParser) -> None:
    """What every verb that opens pictures can be told."""
    parser.add_argument(
        "--max-pixels",
        type=_pixels,
        metavar="N",
        help="refuse larger pictures (default: 50,000,000, or the environment variable WATERMARK_MAX_PIXELS)",
    )


def _pixels(text: str) -> int:
    """Set where it is parsed, so that every door and every worker process knows it."""
    from watermark.files.limits import set_max_pixels

    try:
        number = int(text.replace("_", "").replace(",", ""))
        set_max_pixels(number)
    except (ValueError, UserError):
        raise argparse.ArgumentTypeError(f"expected a positive whole number of pixels, got {text[:40]!r}") from None
    return number


def add_false_positive_option(
    parser: argparse.ArgumentParser, text: str = "how often an unmarked picture may be called marked"
) -> None:
    """``--false-positive-rate``."""
    parser.add_argument("--false-positive-rate", type=as_rate, default=1e-6, help=f"{text} (default: %(default)s)")


def as_rate(text: str) -> float:
    """Checked where it is parsed: the line names the option as it was typed."""
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0 < rate < 1:
        raise argparse.ArgumentTypeError(f"expected a number between 0 and 1, got {text[:40]!r}")
    return rate


def answers(
    paths: list[Path], title: str, ask: Callable[[Path], T], *, as_json: bool
) -> Iterator[tuple[Path, T | None]]:
    """Each picture and what is said of it; None, and one line on the standard error, where it could not be asked.

    A full or read-only disk ends it: the next picture would fare no better.
    """
    from watermark.files.whole import DiskError

    for path in with_progress(paths, title):
        try:
            answer = ask(path)
        except Exception as error:  # whatever is wrong with one picture, the others are looked at
            show_unexpected(error)
            text = about_file(path, error)
            print(f"watermark: {text}", file=sys.stderr)
            if as_json:
                print(json_shown({"file": str(path), "error": text}))
            yield path, None
            if isinstance(error, DiskError):
                return
        else:
            yield path, answer


def about_file(path: Path, error: Exception) -> str:
    """The line of a picture that failed, for whatever reason."""
    if isinstance(error, UserError):
        return shown(error, 2000)
    if isinstance(error, OSError):
        return f"{shown(path)}: {reason(error)}"
    return f"{shown(path)}: {type(error).__name__} ({reason(error)}); {TRACEBACK}=1 shows where"


def add_misattribution_option(parser: argparse.ArgumentParser) -> None:
    """``--misattribution-rate``."""
    parser.add_argument(
        "--misattribution-rate",
        type=as_rate,
        default=1e-4,
        help="how often the IDs of a marked picture may be another's; less certain ones are not named (default: "
        "%(default)s)",
    )


def say_left_out(path: Path, lost: Sequence[str], dropped: Sequence[str]) -> None:
    """One line each of what of the input is not in a written file, for want of a place or because it were untrue."""
    for title, words in (("not kept, for the format cannot hold it", lost), ("left out, as untrue now", dropped)):
        if words:
            print(f"note: {shown(path)}: {title}: {shown(', '.join(words))}", file=sys.stderr)


def say_quality(path: Path, quality: int | None) -> None:
    """One line where a JPEG was saved at another quality than its own."""
    if quality is not None:
        why = "at the quality that it came with it would have lost the mark"
        print(f"note: {shown(path)}: saved at JPEG quality {quality}, for {why}", file=sys.stderr)


def check_quality(quality: int | None) -> None:
    """``--quality``, before anything is read or reserved."""
    if quality is not None and not 1 <= quality <= 100:
        raise UserError(f"--quality: expected 1 to 100, got {quality}")


def add_search_option(parser: argparse.ArgumentParser) -> None:
    """``--search``."""
    parser.add_argument(
        "--search",
        choices=["quick", "thorough"],
        default="quick",
        help="quick says no early where a picture shows no sign of a mark; thorough takes three times as long on "
        "unmarked pictures (default: %(default)s)",
    )


def load_marker(args: argparse.Namespace, *, warned: bool = True, **asked: Any) -> "Watermarker":
    """The marker that the options describe, with rates and search as asked (default: those of ``Watermarker.load``).

    Where no key is given a public one is used; the user is ``warned`` of it unless nobody will ever read the marks.

    Raises:
        UserError: for an unknown scheme, layout or setting, or a bad key file.
    """
    key, shared = _key(args.key_file, warned), sync_key(args)
    from watermark.watermarker import Watermarker  # after the keys: torch takes seconds

    try:
        return Watermarker.load(
            args.scheme,
            key=key,
            sync_key=shared,
            layout=args.layout,
            device=args.device,
            **(asked | settings_of(args.set)),
        )
    except (ValueError, RuntimeError) as error:
        raise UserError(str(error).splitlines()[0]) from None


def _key(path: Path | None, warned: bool) -> str | bytes:
    if path is None:
        if warned:
            log.warning(
                "no --key-file: using the public demonstration key, with which anybody can read and write marks"
            )
        return PUBLIC_KEY
    from watermark.keystore import load_key

    return load_key(path)


def sync_key(args: argparse.Namespace) -> bytes | None:
    """The shared secret, if one is given: the mark's key of its file."""
    from watermark.keystore import load_key

    return load_key(args.sync_key_file) if args.sync_key_file else None


def settings_of(words: list[str]) -> dict[str, object]:
    """What ``--set NAME=VALUE`` says."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    for word in words:
        if "=" not in word:
            raise UserError(f"--set: expected NAME=VALUE, got {word}")
    try:
        settings = OmegaConf.to_container(OmegaConf.from_dotlist(words))
    except OmegaConfBaseException as error:
        raise UserError(f"--set: {str(error).splitlines()[0]}") from None
    return {str(name): value for name, value in dict(settings).items()}  # type: ignore[arg-type]


def expand(paths: list[Path]) -> list[Path]:
    """Files as given, folders as the pictures below them; what in a folder is not looked at is counted in one line.

    Raises:
        UserError: if a path is missing or a folder holds no picture.
    """
    from watermark.files import find_pictures, passed_over_line

    files: list[Path] = []
    for path in paths:
        found = list(find_pictures(path)) if path.is_dir() else [path]
        if path.is_dir() and (line := passed_over_line(path)):
            print(f"note: {line}", file=sys.stderr)
        if not found:
            raise UserError(f"{shown(path)}: no pictures in this folder")
        files += found
    return files


def with_progress(files: list[Path], verb: str) -> Iterator[Path]:
    """The files one by one, with a bar and the time left on the terminal if there is more than one."""
    from watermark.cli.progress import followed

    yield from followed(files, verb, len(files))
