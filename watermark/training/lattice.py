"""The learned lattice mark while it learns: random keys, random shifts, a known alignment that is a little wrong."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from watermark.schemes.lattice_mark import LatticeMark, Layout, corner_alignment
from watermark.synchronization import Alignment, spectra
from watermark.training.model import MarkedBatch, TrainableMark


@dataclass(frozen=True)
class Placement:
    """Under which key a batch was marked and where the lattice lies in it."""

    layout: Layout
    shift: Tensor


class LatticeTraining(TrainableMark):
    """Wrap a ``LatticeMark``: a new key for every batch, so that nothing can be learned about any one key.

    Args:
        core: what is trained and shipped.
        rounds: rounds of host rejection while training.
        window: share of batches that are read from a random window only, as after a crop.
        jitter: standard deviation of the alignment's error: lattice px of shift, and this many thousandths of scale,
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
        """Mark at one picture pixel per lattice pixel."""
        key = int(torch.randint(2**62, (), generator=generator))
        layout = self.core.layout(key)
        shift = (torch.rand(len(images), 2, generator=generator) * self.core.tile).to(images.device)
        residual = self.core.residual(images, message, layout, 1.0, shift, psnr, self.rounds)
        return MarkedBatch(images + residual, Placement(layout, shift))

    def read(self, images: Tensor, marked: MarkedBatch, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Soft bits, and what the pilot lacks for a blind search."""
        placement: Placement = marked.context
        shift = placement.shift
        if generator is not None and float(torch.rand((), generator=generator)) < self.window:
            images, shift = self._cut(images, shift, generator)
        where = corner_alignment(images.shape[-2:], 1.0, shift)
        if generator is not None and self.jitter:
            where = self._disturb(where, generator)
        lines = self.core.read_lines(spectra(self.core.maps(images)), placement.layout, where)
        pilot = lines[:, 0][:, placement.layout.is_pilot]  # luma: what the blind search looks at
        score = pilot.real.sum(1) / (pilot.abs().square().sum(1) / 2).clamp_min(1e-6).sqrt()
        lack = F.softplus((self.pilot_need - score) / 2) * 2 * self.pilot_weight
        return self.core.soft_bits(lines, placement.layout), lack

    def compile_networks(self) -> None:
        """The convolutional parts; the Fourier look-up works on complex numbers, which compilers leave alone."""
        for part in (*self.core.whiten, self.core.mask):
            part.compile()

    def _cut(self, images: Tensor, shift: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        height, width = images.shape[-2:]
        side = int(torch.randint(min(height, width) // 2, min(height, width), (), generator=generator))
        top, left = (int(torch.randint(n - side + 1, (), generator=generator)) for n in (height, width))
        return images[..., top : top + side, left : left + side], shift + shift.new_tensor([left, top])

    def _disturb(self, where: Alignment, generator: torch.Generator) -> Alignment:
        count, device = len(where.shift), where.shift.device
        moved = self.jitter * torch.randn(count, 2, generator=generator).to(device)
        bent = 1e-3 * self.jitter * torch.randn(count, 2, 2, generator=generator).to(device)
        return replace(where, shift=where.shift + moved, matrix=where.matrix + bent)
