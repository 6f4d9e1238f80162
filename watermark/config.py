"""Where the configuration lies, how it is composed and how an object is built from it: the only door to all three.

A file under ``configs/scheme`` IS the registration of a scheme, and its name is the scheme's name; the same holds for
attacks, suites, data sets and payload layouts. Files are looked for in our own folder, then in those that
``WATERMARK_CONFIGS`` names, then in those of installed packages (entry-point group ``watermark.configs``), so that what
a package brings works in every command and in ``Watermarker.load``.
"""

import importlib
import importlib.util
import inspect
import logging
import os
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]  # OmegaConf brings it, and no types

from watermark.errors import UserError, meant
from watermark.shown import reason

log = logging.getLogger(__name__)

_PACKAGE = Path(__file__).resolve().parent
CONFIG_DIR = next(folder for folder in (_PACKAGE / "configs", _PACKAGE.parent / "configs") if folder.is_dir())
"""Inside an installed wheel the configuration is package data; in a clone it is the folder at the root."""
ENTRY_POINTS = "watermark.configs"
"""``[project.entry-points."watermark.configs"]`` of a package: any name = the package that holds the YAML folders."""
VARIABLE = "WATERMARK_CONFIGS"
"""Folders of one's own, separated as in ``PATH``."""

PLAIN_NAME = re.compile(r"\w[\w.+-]{0,99}")
"""Of a file in a group: never a path, so that whoever chooses a name cannot choose a file elsewhere."""

Config = Mapping[str, Any]


def config_folders(more: Iterable[Path] = ()) -> list[Path]:
    """Where files are looked for, in this order; the first that has a name decides, so nobody replaces ours.

    Args:
        more: further folders, for example those on Hydra's search path.
    """
    own = [Path(text).expanduser() for text in os.environ.get(VARIABLE, "").split(os.pathsep) if text]
    return list(dict.fromkeys([CONFIG_DIR, *own, *more, *_folders_of_packages(tuple(sys.path))]))


def config_names(group: str, more: Iterable[Path] = ()) -> list[str]:
    """The names that a group offers, for example ``config_names("scheme")``."""
    return sorted({path.stem for folder in config_folders(more) for path in (folder / group).glob("*.yaml")})


def default_names(group: str, more: Iterable[Path] = ()) -> list[str]:
    """The names that are meant where none is given: all but those that need something of the user's (``_extra_``)."""
    more = list(more)
    return [name for name in config_names(group, more) if "_extra_" not in compose(group, name, more=more)]


def config_file(group: str, name: str, more: Iterable[Path] = ()) -> Path:
    """The file that a name in a group stands for.

    Raises:
        ValueError: for an unknown name; one line.
    """
    more = list(more)
    is_name = isinstance(name, str) and PLAIN_NAME.fullmatch(name)  # what a stranger's registry calls a scheme is none
    files = (folder / group / f"{name}.yaml" for folder in config_folders(more))
    file = next((file for file in files if file.is_file()), None) if is_name else None
    if file is None:
        names = config_names(group, more)
        raise ValueError(f"no {group} named {name!r:.80}{meant(str(name), names)}; expected one of {', '.join(names)}")
    return file


def compose(group: str, name: str, settings: Config | None = None, *, more: Iterable[Path] = ()) -> dict[str, Any]:
    """The configuration of one name in a group, as plain values.

    Args:
        group: a folder of the configuration, for example ``scheme``.
        name: a file in it.
        settings: take the place of what the file says.
        more: see ``config_folders``.

    Raises:
        ValueError: for an unknown name or a file that does not compose; one line.
    """
    more = list(more)
    file = config_file(group, name, more)
    try:
        loaded = OmegaConf.load(file)
        if "defaults" in loaded:  # files made of files, as suites are, are Hydra's
            from watermark.hydra_search import composed

            return composed(group, name, more) | dict(settings or {})
        plain = OmegaConf.to_container(loaded, resolve=True)
    except OmegaConfBaseException as error:
        raise ValueError(f"{file}: {str(error).splitlines()[0]}") from None
    except (YAMLError, OSError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{file}: expected settings in YAML ({reason(error)})") from None
    if not isinstance(plain, dict):
        raise ValueError(f"{file}: expected settings in YAML, NAME: VALUE, got a list")
    return {str(key): value for key, value in plain.items()} | dict(settings or {})


def build_named(group: str, name: str, **settings: Any) -> Any:
    """Build ``configs/<group>/<name>.yaml`` with some settings changed.

    Raises:
        ValueError: for an unknown name, an unknown setting or a value that the class refuses; one line.
    """
    config = compose(group, name)
    check_settings(name, config, settings)
    return build(config, **settings)


def check_settings(name: str, config: Config, settings: Iterable[str]) -> None:
    """Refuse a setting that the class of a configuration does not know.

    Raises:
        ValueError: naming it and what there is.
    """
    accepted = inspect.signature(target_of(config)).parameters
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in accepted.values()):
        return
    for setting in settings:
        if setting not in accepted:
            known = [one for one in accepted if one != "key"]
            near = meant(setting, known)
            raise ValueError(f"{name} has no setting {setting!r}{near}; expected one of {', '.join(known)}")


def build(config: Config | DictConfig, **settings: Any) -> Any:
    """Build what a composed configuration describes.

    ``_target_`` names a class or function, ``_partial_: true`` leaves the call to whoever gets it, and what is nested
    is built first. Only what was composed here goes in, never a ``_target_`` that came with a checkpoint or a download;
    what a run folder says goes through ``evaluation.rebuild.trusted`` first.

    Raises:
        UserError: as the class raised it.
        ValueError: for everything else that the class refuses; one line.
    """
    if isinstance(config, DictConfig):
        config = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    kind = target_of(config)
    arguments = {str(key): _built(value) for key, value in config.items() if not str(key).startswith("_")} | settings
    if config.get("_partial_"):
        return partial(kind, **arguments)
    try:
        return kind(**arguments)
    except UserError:
        raise
    except Exception as error:  # the class may be anybody's
        said = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, ValueError) or not settings:
            raise ValueError(said) from error
        given = ", ".join(f"{name}={value!r}" for name, value in settings.items() if name != "key")
        raise ValueError(f"{kind.__name__} cannot be built{given and ' with '}{given}: {said}") from error


def target_of(config: Config | DictConfig) -> Callable[..., Any]:
    """The class or function that a configuration names.

    Raises:
        ValueError: it names none, or one that is not there.
    """
    target = config.get("_target_")
    if not isinstance(target, str):
        raise ValueError(f"expected the dotted name of a class as _target_, got {target!r:.80}")
    return locate(target)


def locate(target: str) -> Callable[..., Any]:
    """The class or function of a dotted name.

    Raises:
        ValueError: if there is none.
    """
    try:
        return pkgutil.resolve_name(target)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"{target}: expected a class or function that can be imported ({error})") from None


def package_folders(package: str) -> list[Path]:
    """The folders of a package, without running more than its parents.

    Raises:
        ModuleNotFoundError: if it is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        parent = package.rpartition(".")[0]
        has_parent = bool(parent) and importlib.util.find_spec(parent) is not None
        lacks = f"; {parent} is installed without that folder (were its YAML files packaged?)" if has_parent else ""
        raise ModuleNotFoundError(f"no package named {package}{lacks}")
    return [Path(place) for place in spec.submodule_search_locations]


@cache
def _folders_of_packages(_path: tuple[str, ...]) -> tuple[Path, ...]:
    """Once for every ``sys.path``: to ask what is installed reads a file of every package, some 20 ms."""
    return tuple(folder for point in entry_points(group=ENTRY_POINTS) for folder in _folders_of(point))


def _folders_of(point: EntryPoint) -> list[Path]:
    try:
        return package_folders(point.value)
    except ImportError as error:  # somebody else's package must not stop us
        log.warning("entry point %s of %s: %s", point.name, ENTRY_POINTS, error)
        return []


def _built(value: Any) -> Any:
    if isinstance(value, dict):
        return build(value) if "_target_" in value else {key: _built(one) for key, one in value.items()}
    return [_built(one) for one in value] if isinstance(value, list | ListConfig) else value
