"""What there is to choose from, in one line each, and all that is known of one of them.

Read from where it is true: the head of a configuration file, the docstring of its class, the card beside its weights,
the metadata of the installed package. Nothing here is a list that could go stale.
"""

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from operator import attrgetter
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from watermark.config import build, compose, config_file, config_names, target_of
from watermark.errors import meant

GROUPS = {"schemes": "scheme", "attacks": "attack", "suites": "suite", "layouts": "layout"}
"""What can be listed, and the group of the configuration that it is."""
NEEDING = {"attack": ("attack/needs_package", "attack/needs_model")}
"""Further groups of a group, whose members need something of the user's and are added by a line of their own."""
KINDS = (*GROUPS, "codecs", "extras")
EXTRAS = {
    "c2pa": "signed C2PA manifests: `issue --certificate`, and `serve` resolves them",
    "demo": "`watermark demo`: mark, attack and read in the browser",
    "formats": "HEIC and JPEG XL; the wheels of these two are GPL",
    "learned-codec": "attacks through CompressAI's learned codecs, with weights of yours",
    "peers": "other people's marks, as schemes",
    "perceptual": "FLIP, SSIMULACRA2, ColorVideoVDP of marked pictures; LPIPS, DISTS with weights of yours",
    "postgresql": "the registry on a PostgreSQL server",
    "ray": "sweeps on a Ray cluster",
    "regeneration": "attacks through auto-encoders and diffusion models of yours",
    "scale": "`watermark pipeline`: pictures by the million, on Ray",
    "serve": "`watermark serve`: detection over HTTP",
    "slurm": "sweeps on a SLURM cluster",
    "train": "curves of `watermark train` in TensorBoard",
    "video": "attacks through video codecs",
}
"""What extras are for; one that is not named here says which packages it brings."""


@dataclass(frozen=True)
class Entry:
    """One thing that can be chosen.

    Attributes:
        name: as a command takes it.
        about: one line.
    """

    name: str
    about: str


def entries(kind: str) -> list[Entry]:
    """All of a kind (one of ``KINDS``), by name; what an installed package brings is among them."""
    if kind == "extras":
        return [
            Entry(name, _extra(name)) for name in sorted(metadata("robust-watermark").get_all("Provides-Extra") or [])
        ]
    if kind == "codecs":
        return [Entry(name, _codec(name)) for name in config_names(GROUPS["layouts"])]
    groups = _groups(GROUPS[kind])
    found = (Entry(name, _about(group, name)) for group in groups for name in config_names(group))
    return sorted(found, key=attrgetter("name"))


def _groups(group: str) -> tuple[str, ...]:
    return group, *NEEDING.get(group, ())


def _group_of(group: str, name: str) -> str:
    """The group that has a name: the one that was asked for, or one of those below it.

    Raises:
        ValueError: for an unknown name.
    """
    groups = {one: config_names(one) for one in _groups(group)}
    for one, names in groups.items():
        if name in names:
            return one
    known = sorted(name for names in groups.values() for name in names)
    raise ValueError(f"no {group} named {name!r:.80}{meant(name, known)}; expected one of {', '.join(known)}")


def _codec(layout: str) -> str:
    """There is one error-correcting code; the layout that it carries is what can be chosen, so it has that name."""
    from watermark.codec import Layout

    built = build(compose("layout", layout))
    if not isinstance(built, Layout):
        raise ValueError(f"{config_file('layout', layout)}: expected a Layout, got {type(built).__name__}")
    check = {"crc": "CRC", "mac": "keyed"}[built.check] if built.check_bits else "none"
    fields = f"version {built.version_bits}, provider {built.provider_bits}, content {built.content_bits}"
    return f"the polar code with layout={layout}, {built.total_bits} bits: {fields}, check {built.check_bits} ({check})"


def about(group: str, name: str) -> str:
    """One name of a group in one line: the file's first sentence, or of an attack the event that it stands for.

    Raises:
        ValueError: for an unknown name.
    """
    return _about(_group_of(group, name), name)


def _about(group: str, name: str) -> str:
    said = re.split(r"(?<=[.?])\s", _head(config_file(group, name)), maxsplit=1)[0]
    if not group.startswith("attack"):
        return said
    config = compose(group, name)
    event = said or getattr(_class(config), "reproduces", "")
    event = event if ". " in event else event.rstrip(".")  # half of them are half sentences
    return f"{ladder}: {event}" if (ladder := _ladder(config)) else event


@dataclass(frozen=True)
class Shown:
    """All that is known of one name.

    Attributes:
        name: as a command takes it.
        file: of its configuration.
        text: the whole head of that file.
        configuration: composed.
        target: dotted name of the class that it builds; None for a suite.
        docstring: of that class.
        card: the model card beside its weights, Markdown; None where there is none.
    """

    name: str
    file: str
    text: str
    configuration: dict[str, Any]
    target: str | None
    docstring: str | None
    card: str | None


def show(group: str, name: str) -> Shown:
    """Everything about one name.

    Raises:
        ValueError: for an unknown name.
    """
    place = _group_of(group, name)
    file, config = config_file(place, name), compose(place, name)
    kind = None if group == "suite" else _class(config)
    return Shown(
        name=name,
        file=str(file),
        text=_head(file) or _about(place, name),
        configuration=config,
        target=None if kind is None else f"{kind.__module__}.{kind.__qualname__}",
        docstring=None if kind is None else inspect.getdoc(kind),
        card=_card(group, config),
    )


def as_yaml(shown: Shown) -> str:
    """The configuration as the file would say it."""
    return OmegaConf.to_yaml(OmegaConf.create(json.loads(json.dumps(shown.configuration)))).rstrip()


def _class(config: dict[str, Any]) -> Any:
    return target_of(config.get("build") or config)


def _card(group: str, config: dict[str, Any]) -> str | None:
    if group == "scheme":
        from watermark.schemes.weights_file import WEIGHTS

        folder, name = WEIGHTS, config.get("weights")
    elif group == "attack":
        from attacks.regeneration import WEIGHTS

        folder, name = WEIGHTS, _class(config).card
    else:
        return None
    card = folder / f"{name}.md"
    return card.read_text() if name and card.is_file() else None


def _head(file: Path) -> str:
    """The comment at the top of a configuration file, as one line."""
    return " ".join(_comment(file.read_text().splitlines()))


def _comment(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if not line.startswith("#"):
            return
        if line.startswith("# @package"):  # that is for Hydra
            continue
        yield line.lstrip("# ").rstrip()


def _ladder(config: dict[str, Any]) -> str:
    """``quality 90 to 10``."""
    for parameter, values in (config.get("sweep") or {}).items():
        return f"{parameter} {values[0]:g}" + (f" to {values[-1]:g}" if len(values) > 1 else "")
    return ""


def _extra(name: str) -> str:
    missing, purpose = missing_packages(name), EXTRAS.get(name) or f"brings {', '.join(packages_of(name))}"
    return f"{purpose} ({'not installed: ' + ', '.join(missing) if missing else 'installed'})"


def packages_of(extra: str) -> list[str]:
    """The packages that an extra brings."""
    wanted = [line for line in requires("robust-watermark") or [] if f"extra == '{extra}'" in line.replace('"', "'")]
    return [re.split(r"[<>=!~;\[ ]", line, maxsplit=1)[0] for line in wanted]


def missing_packages(extra: str) -> list[str]:
    """The packages of an extra that are not installed here."""
    return [name for name in packages_of(extra) if not installed(name)]


def installed(package: str) -> str | None:
    """The installed version of a package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
