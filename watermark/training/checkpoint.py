"""Checkpoints that survive a kill at any moment, and a moving average of the weights."""

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


def save_atomically(state: dict[str, Any], path: Path) -> None:
    """Write beside the target and rename, so that ``path`` always holds a whole checkpoint: the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".writing")
    with beside.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint on the CPU; nothing but tensors and plain values is accepted."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


class Average:
    """Exponential moving average of a model's parameters and buffers, warmed up.

    Args:
        model: whose weights to follow.
        decay: share of the old average that is kept at each step, once warm.
    """

    def __init__(self, model: nn.Module, decay: float = 0.99) -> None:
        self.decay, self.updates = decay, 0
        self.values: dict[str, Tensor] = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move towards the current weights."""
        self.updates += 1
        decay = min(self.decay, self.updates / (10 + self.updates))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                self.values[name].lerp_(value, 1 - decay)
            else:
                self.values[name].copy_(value)

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"updates": self.updates, "values": self.values}

    def restore(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        self.updates = int(state["updates"])
        for name, value in state["values"].items():
            self.values[name].copy_(value)
