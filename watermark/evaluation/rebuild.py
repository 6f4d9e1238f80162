"""From the configuration in a run folder to objects: only what this machine's own configuration names is ever built.

A run folder may come from a stranger. Its manifest is never instantiated as it stands: every class, text and structure
in it must be that of a file in the local configuration; numbers, true, false and null are free. So it can choose
between what is here, and can name neither other code, nor a path, nor an address, nor an environment variable.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from watermark.config import build, compose, config_folders
from watermark.errors import UserError
from watermark.evaluation.manifest import names_are_plain
from watermark.metrics.perceptual import MEASURES
from watermark.watermarker import Watermarker

LARGEST = 2**20
"""Of a number in a setting (a seed may be larger): nothing that the configuration offers is counted in millions."""
SCALARS = {"seed": int, "batch_size": int, "false_positive_rate": float, "keep_logits": bool}


def trusted(config: dict[str, Any], own: Sequence[Path] = (), pictures: Path | None = None) -> dict[str, Any]:
    """The configuration of a run, if it is made of what the local configuration names.

    Args:
        config: from a manifest.
        own: further configuration folders of the user, as on ``hydra.searchpath``.
        pictures: the folder of photographs, if the run measured one; a manifest may not say which folder is read.

    Raises:
        UserError: naming the first thing that this machine's configuration does not have.
    """
    for name, kind in SCALARS.items():
        value = config.get(name)
        if not isinstance(value, kind if kind is not float else (int, float)):
            raise UserError(f"config.{name}: expected a {kind.__name__}, got {value!a:.60}")
    if not 1 <= config["batch_size"] <= 4096:
        raise UserError(f"config.batch_size: expected 1 to 4096, got {config['batch_size']}")
    if any(name not in MEASURES for name in config.get("perceptual") or []):
        raise UserError(f"config.perceptual: expected some of {', '.join(MEASURES)}")
    for group in ("schemes", "suite"):
        if not isinstance(config.get(group) or {}, dict):
            raise UserError(f"config.{group}: expected an object, got {config[group]!a:.60}")
        names_are_plain(Path("manifest.json"), config.get(group) or {})
    folders = config_folders(own)
    for name, entry in (config.get("schemes") or {}).items():
        _check(f"schemes.{name}", entry, _files(folders, "scheme"))
    suite = str(config.get("suite_name"))
    for name, entry in (config.get("suite") or {}).items():
        _check(f"suite.{name}", entry, (*_suite_entries(folders, suite, name), *_files(folders, "attack")))
    _check("layout", config.get("layout"), _files(folders, "layout"))
    return {**config, "data": _data(config.get("data"), folders, pictures), "device": "auto"}


def marker(config: dict[str, Any], scheme: str, key: str, device: Any = "cpu", **settings: Any) -> Watermarker:
    """A scheme of a run with a key, from a ``trusted`` configuration.

    Raises:
        UserError: if the run has no such scheme.
    """
    if scheme not in config["schemes"]:
        raise UserError(f"--schemes: the run has {', '.join(config['schemes'])}, not {scheme}")
    entry = {**config["schemes"][scheme], **settings}
    asked = {"false_positive_rate": config["false_positive_rate"], "search": config.get("search", "thorough")}
    try:
        return Watermarker.build(entry, key, layout=build(config["layout"]), device=device, **asked)
    except ValueError as error:
        raise UserError(f"{scheme}: {str(error).splitlines()[0]}") from None


def _data(entry: Any, folders: Sequence[Path], pictures: Path | None) -> dict[str, Any]:
    local = list(_files(folders, "data"))
    if not isinstance(entry, dict):
        raise UserError(f"config.data: expected an object, got {entry!a:.60}")
    if "path" not in entry:
        _check("data", entry, local)
        return entry
    if pictures is None:
        said = f"the run measured the pictures of a folder ({entry['path']!a:.200})"
        raise UserError(f"{said}; say where they are: `remeasure RUN_DIR --pictures DIR`, `forgery DIR --run RUN_DIR`")
    placed = {**entry, "path": str(pictures)}
    _check("data", {**entry, "path": "???"}, local)
    return placed


def _files(folders: Sequence[Path], group: str) -> tuple[Any, ...]:
    """What lies in a configuration group, on every folder."""
    return tuple(entry for folder in folders for entry in _group(folder, group))


@cache
def _group(folder: Path, group: str) -> tuple[Any, ...]:
    files = sorted((folder / group).rglob("*.yaml"))
    return tuple(OmegaConf.to_container(OmegaConf.load(file)) for file in files)


def _suite_entries(folders: Sequence[Path], suite: str, name: str) -> Iterator[Any]:
    """The attack of that name in the local suite of that name, if there is one."""
    if suite.isidentifier() and any((folder / "suite" / f"{suite}.yaml").is_file() for folder in folders):
        entry = _suite(tuple(folders), suite).get(name)
        if entry is not None:
            yield entry


@cache
def _suite(folders: tuple[Path, ...], suite: str) -> dict[str, Any]:
    return compose("suite", suite, more=folders)


def _check(where: str, told: Any, local: Sequence[Any]) -> None:
    """Raise unless some local entry differs from ``told`` in numbers only."""
    if not isinstance(told, dict):
        raise UserError(f"config.{where}: expected an object, got {told!a:.60}")
    complaints = [_differs(told, entry, where) for entry in local]
    if None in complaints:
        return
    if not complaints:
        raise UserError(f"config.{where}: the configuration of this machine has none; name yours with --config-dir")
    # the entry that fits furthest says best what is wrong
    raise UserError(f"config.{max(filter(None, complaints), key=lambda said: said.count('.') + said.count('['))}")


def _differs(told: Any, local: Any, where: str) -> str | None:
    """The first place where ``told`` says more than other numbers, or None."""
    if isinstance(told, dict) != isinstance(local, dict):
        return f"{where}: {told!a:.80} is not what the configuration of this machine says"
    if isinstance(told, dict):
        for name in {**told, **{name: None for name in local if name.startswith("_")}}:
            here = f"{where}.{name}" if name.isidentifier() else f"{where}.{name!a:.60}"
            if name.startswith("_") and (name not in told or name not in local or told[name] != local[name]):
                return f"{here}: {told.get(name)!a:.80} is not what the configuration of this machine names"
            if said := _differs(told[name], local.get(name), here):
                return said
        return None
    if isinstance(told, list):
        items = local if isinstance(local, list) and len(local) == len(told) else [None] * len(told)
        found = (
            _differs(value, item, f"{where}[{i}]") for i, (value, item) in enumerate(zip(told, items, strict=True))
        )
        return next(filter(None, found), None)
    if isinstance(told, str) and told != local:
        return f"{where}: {told!a:.80} is not what the configuration of this machine says"
    large = isinstance(told, int | float) and not abs(told) <= LARGEST and not where.endswith("seed")
    return f"{where}: expected a number of at most {LARGEST}, got {told}" if large else None
