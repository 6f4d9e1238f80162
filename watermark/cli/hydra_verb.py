"""How `evaluate` and `train` hand their words to Hydra, so that each reads as a verb of one command.

``hydra.main`` and not ``hydra.compose``: multirun, launchers (SLURM, Ray), ``--cfg``, ``--help`` and completion are its
own. It takes its words from ``sys.argv`` and, unless an environment variable says otherwise, prints a page and ends the
process where they do not compose; hence the two that are set here and put back.
"""

import dataclasses
import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import hydra
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from watermark.cli import tell
from watermark.config import CONFIG_DIR
from watermark.errors import UserError, meant
from watermark.hydra_search import register
from watermark.shown import shown

FULL = "HYDRA_FULL_ERROR"
"""Environment variable with which Hydra passes errors on instead of printing a page and ending the process."""
OPTIONS = (
    *("--help", "--hydra-help", "--version", "--cfg", "--resolve", "--package", "--run", "--multirun", "--info"),
    *("--shell-completion", "--config-path", "--config-name", "--config-dir", "--experimental-rerun"),
)
"""Hydra's own words with two hyphens; all others were meant as NAME=VALUE."""
WITH_VALUE = (
    *("--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd"),
    *("--experimental-rerun", "--info", "-i"),
)
"""Those whose value may be the next word."""
LAUNCHERS = {"submitit_slurm": "slurm", "submitit_local": "slurm", "ray": "ray"}
"""Those of Hydra's launchers that an extra of ours brings, and the extra."""
OF_HYDRA = {
    'Could not detect "srun"': "hydra/launcher=submitit_slurm: expected a machine of a SLURM cluster, found no program "
    "srun; hydra/launcher=submitit_local runs the same jobs here",
    "Only one of --run": "expected one of -m (--multirun), --cfg and --info, got more than one",
}
"""How errors begin that Hydra or a launcher raises as no ``HydraException``, and what is said of them here."""
NOISE = ("To append to your config", "full_key:", "object_type=", "reference_type=", "See https", "\t")


class Launched(Callback):
    """Say where the jobs of a multirun speak, if a launcher gives each a process whose screen nobody sees."""

    def on_multirun_start(self, config: DictConfig, **_: object) -> None:
        """Called by Hydra, which finds this class in ``configs/<verb>.yaml``."""
        launcher = config.hydra.launcher
        folder = launcher.get("submitit_folder")
        if folder and (not launcher["_target_"].endswith("SlurmLauncher") or shutil.which("srun")):
            said = f"the jobs speak in {shown(folder)}/*_log.out and *_log.err; the runs lie in {shown(config.output)}"
            print(f"watermark: {said}", file=sys.stderr, flush=True)


def run_hydra(verb: str, argv: Sequence[str], schema: type, task: Callable[[DictConfig], None]) -> int:
    """Compose ``configs/<verb>.yaml`` with the words after the verb, typed by ``schema``, and run ``task`` on it.

    Returns:
        0, or 2 where the words do not compose: then one line has said why.
    """
    if said := _no_setting(verb, argv):
        return tell(UserError(f"{said}; see `watermark {verb} --help`"))
    if "hydra/launcher=ray" in argv:
        from watermark.pipeline.executors import set_up_ray

        set_up_ray()
    register()
    ConfigStore.instance().store(name=f"{verb}_schema", node=schema)
    before, sys.argv = sys.argv, [f"watermark {verb}", *_multirun_first(argv)]
    asked = os.environ.get(FULL)
    os.environ[FULL] = "1"
    try:
        hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name=verb)(task)()
    except (HydraException, OmegaConfBaseException) as error:
        if asked:
            raise
        return tell_typed(UserError(one_line(error, verb, schema)))
    except (RuntimeError, ValueError) as error:
        told = next((line for begin, line in OF_HYDRA.items() if str(error).startswith(begin)), None)
        if asked or told is None:
            raise
        return tell(UserError(told))
    finally:
        sys.argv = before
        if asked is None:
            del os.environ[FULL]
    return 0


def tell_typed(error: Exception) -> int:
    """``tell``, with the words that Hydra reads: a hint to install something repeats them."""
    return tell(error, [*sys.argv[0].split()[1:], *sys.argv[1:]])


def _multirun_first(argv: Sequence[str]) -> list[str]:
    """The words with ``-m`` before all others: between two of them Hydra's parser takes the second for none of its."""
    return sorted(argv, key=lambda word: word not in ("-m", "--multirun"))


def _no_setting(verb: str, argv: Sequence[str]) -> str | None:
    """What is said of the first word that is neither NAME=VALUE nor ~NAME nor an option of Hydra's or its value."""
    for before, word in zip(["", *argv], argv, strict=False):
        if word.startswith("--") and word.split("=")[0] not in OPTIONS:
            name, _, value = word.lstrip("-").replace("-", "_").partition("=")
            if verb == "evaluate" and f"data.{name}" in _data_settings():
                name = f"data.{name}"
            return f"{verb} takes {name}={value or 'VALUE'}, without hyphens, got {word}"
        if "=" not in word and not word.startswith(("-", "~")) and before not in WITH_VALUE:
            folder = verb == "evaluate" and Path(word).is_dir()
            more = f"; a folder of pictures is data=folder data.path={word}" if folder else ""
            return f"{verb} takes NAME=VALUE, got {word}{more}"
    return None


def one_line(error: Exception, verb: str, schema: type) -> str:
    """What was wrong and what there is, without the search path and the advice to add what was misspelt."""
    said = _said(error)
    if found := re.match(r"(?:In '[^']*': )?Could not find '(?:.*/)?([^/']+)/([^/']+)' Available .*?: (.*)", said):
        if found[1] == "launcher" and (extra := LAUNCHERS.get(found[2])):
            package = f"hydra-{found[2].split('_')[0]}-launcher"
            return f"hydra/launcher={found[2]} needs the package {package}: pip install 'robust-watermark[{extra}]'"
        return f"no {found[1]} named {found[2]!r}{meant(found[2], found[3].split(', '))}; expected one of {found[3]}"
    if found := re.match(
        r"Error merging override ([^=\s]+)=.* Value '(.*)' of type '\w+' could not be converted to (\w+)", said
    ):
        kind = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"}.get(found[3], found[3])
        return f"{found[1]}: expected {kind}, got {found[2]!r}"
    if found := re.match(r"Could not override '([^']+)'", said):
        near = meant(found[1], [field.name for field in dataclasses.fields(schema)])
        if found[1] == "data.path":
            near = " (data=folder has a path: say data=folder data.path=DIR)"
        elif verb == "evaluate" and not near:
            near = meant(f"data.{found[1].removeprefix('data.')}", _data_settings())
        return f"no setting {found[1]!r}{near}; `watermark {verb} --cfg job` prints all that there are"
    if found := re.match(r"Ambiguous value for argument '([^=]+)=(.*?)'", said):
        return f"{found[1]}: expected one value; say '{found[1]}=[{found[2]}]' for a list, or -m for a run of each"
    return said


def _data_settings() -> list[str]:
    """``data.limit`` and its like: what any set of pictures can be told."""
    files = sorted((CONFIG_DIR / "data").glob("*.yaml"))
    names = {str(name) for file in files for name in cast(DictConfig, OmegaConf.load(file)) if name != "_target_"}
    return [f"data.{name}" for name in sorted(names)]


def _said(error: Exception) -> str:
    said = str(error).split("Config search path:")[0]
    options = [line.strip() for line in said.splitlines() if line.startswith("\t")]
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith(NOISE)]
    cause = str(error.__cause__).splitlines()[0] if error.__cause__ and str(error.__cause__) else ""
    if cause and cause not in said:
        lines.append(cause)
    return " ".join([*lines, ", ".join(options)]).strip()
