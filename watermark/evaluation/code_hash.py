"""Which sources and weights decide a run's rows, as one hash: a run goes on only with the code that began it."""

import hashlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attacks.base import Attack
from watermark.config import locate

CODE = (
    *("schemes", "transforms", "synchronization", "codec", "detection", "localization", "data", "files"),
    *(f"metrics/{name}.py" for name in ("bits", "psnr", "ssim", "worst_tile", "ms_ssim", "ciede2000", "perceptual")),
    *(f"evaluation/{name}.py" for name in ("axis", "cells", "code_hash", "draw", "hands", "job", "maps", "matched")),
    *(f"evaluation/{name}.py" for name in ("plan", "records", "suite")),
    *(f"{name}.py" for name in ("images", "pixels", "keys", "config", "reader", "strips", "depth", "watermarker")),
)
"""What of the package decides rows; the statistics and the report only read them."""


def code_hash(config: Mapping[str, Any]) -> str:
    """Hash of every source and weight file that decides the rows of a resolved configuration.

    Classes from outside of the package count, and files that the configuration names (``weights=/my/own.safetensors``).
    """
    root = Path(__file__).resolve().parent.parent
    attacks_root = Path(inspect.getfile(Attack)).resolve().parent
    places = [root / part for part in CODE] + [attacks_root]
    everything = {path for place in places for path in (place.rglob("*") if place.is_dir() else [place])}
    files = {path for path in everything if path.suffix in {".py", ".safetensors", ".json"}}
    named = [config["schemes"], config["suite"], config["data"]]
    for target in _targets(named):
        files |= _source_of(target)
    files |= {Path(text) for text in _strings(named) if Path(text).suffix and Path(text).is_file()}
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _targets(node: Any) -> set[str]:
    """Every ``_target_`` in a nested configuration."""
    if isinstance(node, dict):
        own = {node["_target_"]} if isinstance(node.get("_target_"), str) else set()
        return own.union(*(_targets(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(_targets(value) for value in node))
    return set()


def _strings(node: Any) -> set[str]:
    """Every string value in a nested configuration."""
    values = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return {node} if isinstance(node, str) else set().union(*map(_strings, values))


def _source_of(target: str) -> set[Path]:
    file = inspect.getsourcefile(inspect.unwrap(locate(target)))
    return {Path(file).resolve()} if file else set()
