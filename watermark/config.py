"""Where the configuration lies and how an object is built from it: the only ``instantiate``.

A file under ``configs/scheme`` IS the registration of a scheme, and its name is the scheme's name; the same holds for
attacks, suites, data sets and payload layouts.
"""

import inspect
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue

from watermark.errors import UserError

_PACKAGE = Path(__file__).resolve().parent
CONFIG_DIR = next(folder for folder in (_PACKAGE / "configs", _PACKAGE.parent / "configs") if folder.is_dir())
"""Inside an installed wheel the configuration is package data; in a clone it is the folder at the root."""


def config_names(group: str) -> list[str]:
    """The names that a group offers, for example ``config_names("scheme")``."""
    return sorted(path.stem for path in (CONFIG_DIR / group).glob("*.yaml"))


def build_named(group: str, name: str, **settings: Any) -> Any:
    """Build ``configs/<group>/<name>.yaml`` with some settings changed.

    Raises:
        ValueError: for an unknown name, an unknown setting or a value that the class refuses; one line.
    """
    if name not in config_names(group):
        raise ValueError(f"no {group} named {name!r}; expected one of {', '.join(config_names(group))}")
    config = OmegaConf.load(CONFIG_DIR / group / f"{name}.yaml")
    accepted = inspect.signature(get_object(config._target_)).parameters
    for setting in settings:
        if setting not in accepted:
            raise ValueError(f"{name} has no setting {setting!r}; expected one of {', '.join(accepted)}")
    return build(config, **settings)


def build(config: Any, **settings: Any) -> Any:
    """Build what a composed configuration describes; errors of the class come through as one-line ``ValueError``.

    Only what Hydra composed or what lies in the configuration folder goes in here, never a ``_target_`` that came
    with a checkpoint or a download.
    """
    try:
        return instantiate(config, **settings)
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, UserError):
            raise cause from None
        said = " ".join(str(cause or error).split())
        if isinstance(cause, ValueError) or not settings:
            raise ValueError(said) from error
        given = ", ".join(f"{name}={value!r}" for name, value in settings.items() if name != "key")
        raise ValueError(f"{config._target_.split('.')[-1]} cannot be built with {given}: {said}") from error


@dataclass
class EvaluateConfig:
    """The scalars of ``watermark evaluate``; groups (scheme, suite, data, codec) are composed beside them."""

    schemes: list[str] | None = None
    """Names under configs/scheme; None: ``scheme`` if one was chosen, else all there are."""
    target_psnr: float | None = None
    """Embed every scheme at this quality, dB; None: as each scheme is configured."""
    false_positive_rate: float = 1e-6
    seed: int = 0
    """Decides payloads, keys and attack draws."""
    batch_size: int = 1
    """Images of one size that go through a GPU together; on a CPU they go one by one."""
    device: str = "auto"
    """``cpu``, ``cuda``, ``cuda:1`` or ``auto``: a GPU where there is one."""
    workers: int | None = None
    """Processes; None: one per core on CPU, one on a GPU."""
    shard: str = "1/1"
    """``i/n``: do only the i-th of n equal parts; all parts write into the same run folder."""
    unmarked: int | None = None
    """Pictures that are measured unmarked too, spread evenly; None: all. Proving that there is no mark costs a detector
    more than finding one."""
    samples: int = 4
    """Images whose pictures are kept for the report."""
    perceptual: list[str] = field(default_factory=list)
    """``lpips``, ``dists``, or both: needs the extra ``perceptual`` and torchvision's backbones on this machine."""
    keep_logits: bool = True
    """Keep soft decisions in the rows (the null diagnostics need them)."""
    output: str = "results/runs"
    name: str | None = None
    """Run folder under ``output``; None: from suite, data and the hash of everything that decides the rows."""
    scheme: Any = None
    suite: Any = MISSING
    data: Any = MISSING
    codec: Any = MISSING


def plain(config: DictConfig) -> dict[str, Any]:
    """The resolved configuration as plain dicts and lists."""
    try:
        return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[return-value]
    except MissingMandatoryValue as error:
        raise UserError(f"{error.full_key}: expected a value; say {error.full_key}=...") from None
