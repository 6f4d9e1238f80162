"""One process or many: the few collective calls that the loop needs, which do nothing when there is only one."""

import os
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from watermark.lifeline import end_with_parent


@dataclass(frozen=True)
class Processes:
    """This process's place among those that ``torchrun`` started.

    Attributes:
        rank: 0 writes files.
        world: how many there are.
        device: what this one computes on.
    """

    rank: int
    world: int
    device: torch.device

    @classmethod
    def start(cls, device: str = "auto") -> "Processes":
        """Join the group that the environment describes (``torchrun`` sets it); alone if there is none."""
        local = int(os.environ.get("LOCAL_RANK", "0"))
        cuda = torch.cuda.is_available() if device == "auto" else device.startswith("cuda")
        chosen = torch.device(f"cuda:{local}" if cuda and ":" not in device else "cpu" if not cuda else device)
        world = int(os.environ.get("WORLD_SIZE", "1"))
        if world > 1:
            end_with_parent()  # a torchrun that was killed leaves its processes waiting for each other
        if world > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if cuda else "gloo")
        return cls(dist.get_rank() if world > 1 else 0, world, chosen)

    def stop(self) -> None:
        """Leave the group."""
        if self.world > 1 and dist.is_initialized():
            dist.destroy_process_group()

    def average_gradients(self, model: nn.Module) -> None:
        """Replace every gradient by its mean over the processes; a parameter without one counts as zero."""
        if self.world == 1:
            return
        parameters = [p for p in model.parameters() if p.requires_grad]
        flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parameters])
        dist.all_reduce(flat)
        for parameter, part in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
            parameter.grad = (part / self.world).view_as(parameter).clone()

    def gather(self, value: Any) -> list[Any]:
        """The plain values of all processes, in the order of their ranks, on every process."""
        if self.world == 1:
            return [value]
        gathered: list[Any] = [None] * self.world
        dist.all_gather_object(gathered, value)
        return gathered
