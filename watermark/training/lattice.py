"""The learned mark while it learns: random keys, random shifts, a known alignment that is a little wrong."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from watermark.schemes.lattice.carriers import Carriers
from watermark.schemes.lattice.mark import LatticeMark
from watermark.synchronization import Alignment, spectra
from watermark.training.model import MarkedBatch, TrainableMark

SHIFTS = 128.0
"""Plane px over which the plane is shifted while training."""


@dataclass(frozen=True)
class Placement:
    """Under which key a batch was marked and where the carriers' plane lies in it."""

    carriers: Carriers
    pose: Alignment


class LatticeTraining(TrainableMark):
    """Wrap a ``LatticeMark``: a new key for every batch, so that nothing can be learned about any one key.

    Args:
        core: what is trained and shipped.
        rounds: rounds of host rejection while training.
        window: share of batches that are read from a random window only, as after a crop.
        jitter: standard deviation of the alignment's error: plane px of shift, and this many thousandths of scale,
            rotation and shear.
        pilot_need: coherent pilot score that the blind synchronisation should find in a 256 px crop.
        pilot_weight: of the auxiliary pilot loss.
    """

    slow = ("context", "predict", "judge", "correct")

    def __init__(
        self,
        core: LatticeMark,
        rounds: int = 1,
        window: float = 0.3,
        jitter: float = 0.1,
        pilot_need: float = 5.0,
        pilot_weight: float = 0.3,
    ) -> None:
        super().__init__()
        self.core, self.message_bits = core, core.message_bits
        self.rounds, self.window, self.jitter = rounds, window, jitter
        self.pilot_need, self.pilot_weight = pilot_need, pilot_weight

    def mark(self, images: Tensor, message: Tensor, psnr: Tensor, generator: torch.Generator) -> MarkedBatch:
        """Mark at one picture pixel per pixel of the plane."""
        key = int(torch.randint(2**62, (), generator=generator))
        carriers = self.core.carriers(key).to(images.device)
        shift = ((torch.rand(len(images), 2, generator=generator) - 0.5) * SHIFTS).to(images.device)
        pose = Alignment(
            torch.eye(2, device=images.device).expand(len(images), 2, 2), shift, shift.new_zeros(len(images))
        )
        residual = self.core.residual(images, message, carriers, pose, psnr, self.rounds)
        return MarkedBatch(images + residual, Placement(carriers, pose))

    def read(self, images: Tensor, marked: MarkedBatch, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Soft bits, and what the pilot lacks for a blind search."""
        placement: Placement = marked.context
        carriers, where = placement.carriers, placement.pose
        if generator is not None and float(torch.rand((), generator=generator)) < self.window:
            images, where = self._cut(images, where, generator)
        if generator is not None and self.jitter:
            where = self._disturb(where, generator)
        lines = self.core.read_lines(spectra(self.core.maps(images)), carriers, where)
        pilot = lines[:, 0][:, carriers.is_pilot]  # luma: what the blind search looks at
        score = pilot.real.sum(1) / (pilot.abs().square().sum(1) / 2).clamp_min(1e-6).sqrt()
        lack = F.softplus((self.pilot_need - score) / 2) * 2 * self.pilot_weight
        return self.core.soft_bits(lines, carriers), lack

    def compile_networks(self) -> None:
        """The convolutional parts; the Fourier look-up works on complex numbers, which compilers leave alone."""
        for part in (*self.core.whiten, self.core.mask):
            part.compile()

    def _cut(self, images: Tensor, pose: Alignment, generator: torch.Generator) -> tuple[Tensor, Alignment]:
        height, width = images.shape[-2:]
        side = int(torch.randint(min(height, width) // 2, min(height, width), (), generator=generator))
        top, left = (int(torch.randint(n - side + 1, (), generator=generator)) for n in (height, width))
        middle = pose.shift.new_tensor([left + (side - width) / 2, top + (side - height) / 2])
        cut = images[..., top : top + side, left : left + side]
        return cut, replace(pose, shift=pose.shift + pose.matrix @ middle)

    def _disturb(self, where: Alignment, generator: torch.Generator) -> Alignment:
        count, device = len(where.shift), where.shift.device
        moved = self.jitter * torch.randn(count, 2, generator=generator).to(device)
        bent = 1e-3 * self.jitter * torch.randn(count, 2, 2, generator=generator).to(device)
        return replace(where, shift=where.shift + moved, matrix=where.matrix + bent)
