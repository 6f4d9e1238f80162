"""Every attack that the configuration offers."""

from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

CONFIGS = Path(__file__).parents[2] / "configs"


def attack_config(name: str) -> DictConfig:
    config = OmegaConf.load(CONFIGS / "attack" / f"{name}.yaml")
    if name.startswith("embedding_attack"):
        config.build.steps = 2  # the promise is the same, the minutes are not
    return config


def every_rung() -> list[tuple[str, str, float]]:
    rungs = []
    for path in sorted((CONFIGS / "attack").glob("*.yaml")):
        (parameter,) = attack_config(path.stem).sweep
        rungs += [(path.stem, parameter, value) for value in attack_config(path.stem).sweep[parameter]]
    return rungs


def build_attack(name: str, parameter: str, value: float):
    return instantiate(attack_config(name).build)(**{parameter: value})
