"""The scalars of ``watermark train``, typed; the groups (model, noise, curriculum, ...) are composed beside them."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


@dataclass
class TrainConfig:
    """What can be set on the command line besides the groups."""

    name: str = "default"
    """Folder of the run under ``output``; the same name goes on from its last checkpoint."""
    output: str = "results/runs/train"
    seed: int = 0
    """Decides crops, keys, messages, shifts, noise and the networks' first weights."""
    device: str = "auto"
    """``cpu``, ``cuda``, ``cuda:1`` or ``auto``."""
    start: str | None = None
    """What to begin from: a ``best.pt`` of another run, a ``.safetensors`` file, or the name of weights that ship;
    None: the classical start."""
    start_parts: list[str] = field(default_factory=lambda: [""])
    """Parts of parameter names that are taken over from ``start``; the default takes all."""
    weights: str | None = None
    """Folder of third-party weights, for noise layers that need some (TAESD)."""
    photos: Any = MISSING
    model: Any = MISSING
    noise: Any = MISSING
    curriculum: Any = MISSING
    optimizer: Any = MISSING
    validation: Any = MISSING
    loss: Any = MISSING
    quality: Any = MISSING
    schedule: Any = MISSING
    denoiser: Any = None
    """An ``attacks.training.denoiser.DenoiserTraining``: then a denoiser is trained, and no mark."""
    experiment: Any = None
