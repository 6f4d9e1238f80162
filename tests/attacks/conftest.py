"""Small photographs to attack, and every attack that the configuration offers."""

from pathlib import Path

import pytest
import skimage.data
import torch
import torch.nn.functional as F
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"


@pytest.fixture(scope="session")
def photos() -> torch.Tensor:
    """Three different photographs, ``(3, 3, 72, 96)``; odd in no way."""
    return torch.cat([small_photo(name) for name in ("astronaut", "chelsea", "coffee")])


@pytest.fixture(scope="session")
def photo() -> torch.Tensor:
    """One larger photograph, ``(1, 3, 192, 256)``."""
    return small_photo("coffee", 192, 256)


def small_photo(name: str, height: int = 72, width: int = 96) -> torch.Tensor:
    picture = torch.from_numpy(getattr(skimage.data, name)()).permute(2, 0, 1)[None].float() / 255
    return F.interpolate(picture, (height, width), mode="bilinear", antialias=True).clamp(0, 1)


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
