"""What the training loop asks of a model: mark pictures at a quality, read them, and nothing about how."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass
class MarkedBatch:
    """What ``TrainableMark.mark`` gives back.

    Attributes:
        images: ``(N, 3, H, W)``, marked, not clamped and not rounded.
        context: whatever the same model needs to read them (for example a known alignment); None for most.
    """

    images: Tensor
    context: Any = None


class TrainableMark(nn.Module, ABC):
    """A scheme while it learns.

    Attributes:
        message_bits: K, bits per picture.
        slow: names (parts of parameter names) that learn at the network rate; all other parameters learn faster.
    """

    message_bits: int
    slow: tuple[str, ...] = ("",)

    @abstractmethod
    def mark(self, images: Tensor, message: Tensor, psnr: Tensor, generator: torch.Generator) -> MarkedBatch:
        """Mark ``(N, 3, H, W)`` with ``(N, K)`` bool at ``(N,)`` dB; random keys and shifts come from ``generator``."""

    @abstractmethod
    def read(self, images: Tensor, marked: MarkedBatch, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Read attacked pictures of the size they were marked at.

        Args:
            images: ``(N, 3, H, W)`` in [0, 1].
            marked: what ``mark`` returned.
            generator: draws training-time disturbances of the reading itself; None for none.

        Returns:
            Logits ``(N, K)`` and an auxiliary loss ``(N,)`` (zero where there is none).
        """

    def compile_networks(self) -> None:
        """Compile what is worth it; by default every direct child."""
        for child in self.children():
            child.compile()
