"""How `evaluate` and `train` hand their words to Hydra, so that each reads as a verb of one command."""

import sys
from collections.abc import Callable, Sequence

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig

from watermark.config import CONFIG_DIR


def run_hydra(verb: str, argv: Sequence[str], schema: type, task: Callable[[DictConfig], None]) -> int:
    """Compose ``configs/<verb>.yaml`` with the words after the verb, typed by ``schema``, and run ``task`` on it."""
    ConfigStore.instance().store(name=f"{verb}_schema", node=schema)
    before, sys.argv = sys.argv, [f"watermark {verb}", *argv]
    try:
        hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name=verb)(task)()
    finally:
        sys.argv = before
    return 0
