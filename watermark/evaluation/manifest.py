"""Read what a run folder says of itself. Somebody may have sent it: every value is checked, and no object is built."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from watermark.errors import UserError
from watermark.evaluation.parts import own_file
from watermark.files.reading import read_regular
from watermark.json_schema import Json
from watermark.shown import shown

MAX_BYTES = 64 * 2**20
"""Of a JSON file in a run folder; ten thousand pictures take 2 MiB."""
MAX_DIGITS = 300
NAME = re.compile(r"(?!\.)[^/\\\[\]]{1,100}")
"""Names of schemes and attacks: they become parts of file names, and are printed (brackets are markup there)."""
WHOLE, NUMBER, TEXT, FLAG = (int,), (int, float), (str,), (bool,)
MAYBE = (type(None),)

_PICTURE = {"id": TEXT, "class": TEXT, "width": WHOLE, "height": WHOLE, "sha256": TEXT}
_CONFIG = {
    "seed?": WHOLE,
    "batch_size?": WHOLE,
    "false_positive_rate?": NUMBER,
    "device?": TEXT,
    "unmarked?": WHOLE + MAYBE,
    "cells?": WHOLE + MAYBE,
    "keys?": WHOLE,
    "samples?": WHOLE,
    "perceptual?": [TEXT],
    "protocol?": TEXT,
    "matched_by?": TEXT,
    "matched_at?": NUMBER + MAYBE,
    "keep_logits?": FLAG,
    "localize?": FLAG,
    "suite_name?": TEXT,
    "schemes?": (dict, list, type(None)),
    "suite?": (dict, str, type(None)),
    "data?": dict,
    "layout?": dict,
}
_ATTACK = {
    "class?": TEXT,
    "parameter?": TEXT + MAYBE,
    "sweep?": [NUMBER + MAYBE],
    "unit?": TEXT,
    "harder?": TEXT + MAYBE,
    "geometric?": FLAG,
    "differentiable?": FLAG,
    "version?": WHOLE,
    "reproduces?": TEXT,
    "family?": TEXT,
    "identity?": NUMBER + MAYBE,
    "axis?": {"scale": TEXT, "mild": NUMBER, "harsh": NUMBER, "step": NUMBER + MAYBE},
    "readings?": WHOLE,
}
_SCHEME = {
    "class?": TEXT,
    "message_bits?": WHOLE,
    "target_psnr?": NUMBER + MAYBE,
    "settings?": dict,
    "weights_sha256?": TEXT + MAYBE,
    "outside?": FLAG,
}
_SHAPE = {
    "job_key": TEXT,
    "config": _CONFIG,
    "command?": TEXT + MAYBE,
    "git?": {"commit?": TEXT + MAYBE, "dirty?": FLAG + MAYBE},
    "versions?": {"*": TEXT + MAYBE},
    "device?": TEXT + MAYBE,
    "rounding?": TEXT,
    "threads?": WHOLE + MAYBE,
    "seeds?": {"*": WHOLE},
    "wall_seconds?": NUMBER + MAYBE,
    "data": {"name?": TEXT + MAYBE, "manifest_hash?": TEXT + MAYBE, "unreadable?": WHOLE, "images": [_PICTURE]},
    "schemes": {"*": _SCHEME},
    "attacks": {"*": _ATTACK},
    "layout?": {"*": WHOLE + TEXT + MAYBE},
    "false_positive_rate": NUMBER,
    "perceptual?": {"*": (str, int, float, type(None), dict)},
}
_PROGRESS = {"units": WHOLE, "units_done": WHOLE, "rows?": WHOLE, "wall_seconds_of_last_call?": NUMBER}


def read_manifest(run_dir: Path) -> Json:
    """The manifest of a run folder.

    Raises:
        UserError: if there is none, or it is not of the shape that a run writes; says where.
    """
    path = own_file(run_dir, "manifest.json")
    if path is None:
        raise UserError(
            f"expected the folder of a run, such as results/runs/NAME, with manifest.json, got {shown(run_dir)}"
        )
    found = read_json(path, _SHAPE)
    names_are_plain(path, (*found["schemes"], *found["attacks"]))
    if not 0 < found["false_positive_rate"] < 1:
        raise UserError(f"{path}: false_positive_rate: expected a number between 0 and 1")
    return harmless(found)


def read_progress(run_dir: Path) -> Json:
    """What ``progress.json`` says, ``{}`` where there is none."""
    path = own_file(run_dir, "progress.json")
    return read_json(path, _PROGRESS) if path else {}


def read_json(path: Path, shape: Any) -> Json:
    """A JSON file of a known shape.

    Raises:
        UserError: in one line, for whatever is wrong with it.
    """
    try:
        found = parsed(read_regular(path, MAX_BYTES))
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0]
        if isinstance(error, UnicodeDecodeError):
            reason = "it is no text"
        raise UserError(f"{path}: expected a file that a run wrote, and it cannot be read as JSON: {reason}") from None
    if wrong := _wrong(found, shape, ""):
        raise UserError(f"{path}: {wrong}")
    return found


def parsed(content: bytes) -> Any:
    """JSON of a stranger.

    Raises:
        ValueError: it is none, or a whole number in it has more than 300 digits, which no other number holds.
    """
    return json.loads(content.decode("utf-8"), parse_int=_whole)


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"expected whole numbers of at most {MAX_DIGITS} digits, got {len(digits)}")
    return int(digits)


def harmless(value: Any) -> Any:
    """The same without control characters, escapes and bidi overrides in any text."""
    if isinstance(value, dict):
        return {shown(name, MAX_BYTES): harmless(item) for name, item in value.items()}
    if isinstance(value, list):
        return [harmless(item) for item in value]
    return shown(value, MAX_BYTES) if isinstance(value, str) else value


def names_are_plain(path: Path, names: Iterable[str]) -> None:
    """Names of schemes and attacks, which become file names.

    Raises:
        UserError: if one could lead out of the run folder, or drive a terminal.
    """
    for name in names:
        if not (NAME.fullmatch(name) and name.isprintable()):
            raise UserError(f"{path}: expected a name that can be part of a file name, got {name!a:.80}")


def _wrong(value: Any, shape: Any, where: str) -> str | None:
    """What is wrong with ``value``, or None."""
    if isinstance(shape, list):
        if not isinstance(value, list):
            return _expected(where, "a list", value)
        return next(filter(None, (_wrong(item, shape[0], f"{where}[{i}]") for i, item in enumerate(value))), None)
    if not isinstance(shape, dict):
        kinds = shape if isinstance(shape, tuple) else (shape,)
        fits = isinstance(value, kinds) and (not isinstance(value, bool) or bool in kinds)
        return None if fits else _expected(where, " or ".join(_WORDS[kind] for kind in kinds), value)
    if not isinstance(value, dict):
        return _expected(where, "an object", value)
    if "*" in shape:
        found = (_wrong(item, shape["*"], f"{where}.{name!a:.80}") for name, item in value.items())
        return next(filter(None, found), None)
    for key, kind in shape.items():
        name = key.removesuffix("?")
        inside = f"{where}.{name}" if where else name
        if name in value:
            if said := _wrong(value[name], kind, inside):
                return said
        elif not key.endswith("?"):
            return f"{inside} is missing"
    return None


_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false", dict: "an object"} | {
    list: "a list",
    type(None): "null",
}


def _expected(where: str, what: str, value: Any) -> str:
    return f"{where or 'the file'}: expected {what}, got {json.dumps(value)[:60]}"
