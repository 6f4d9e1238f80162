"""What the model is asked to do when: strong marks first, fainter ones once it can read them."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Curriculum:
    """The embedding quality of a batch, and the running bit accuracy that decides over it and over the noise.

    Args:
        first: least and greatest PSNR in dB at the beginning.
        last: the same at the end.
        gate: running bit accuracy above which the range moves.
        ramp: steps above the gate from ``first`` to ``last``.
        memory: share of the running bit accuracy kept at each step.
    """

    first: tuple[float, float] = (38.0, 42.0)
    last: tuple[float, float] = (42.0, 48.0)
    gate: float = 0.7
    ramp: int = 200
    memory: float = 0.95
    skill: float = 0.5
    progress: float = 0.0

    def psnr(self, count: int, generator: torch.Generator) -> Tensor:
        """A quality for each picture, ``(count,)`` dB."""
        low, high = (a + (b - a) * self.progress for a, b in zip(self.first, self.last, strict=True))
        return low + (high - low) * torch.rand(count, generator=generator)

    def learn(self, accuracy: float) -> None:
        """Take in the bit accuracy of a step."""
        self.skill = self.memory * self.skill + (1 - self.memory) * accuracy
        if self.skill >= self.gate:
            self.progress = min(1.0, self.progress + 1 / max(1, self.ramp))
