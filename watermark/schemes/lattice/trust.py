"""How far to trust each line, judged by how well the pilot lines around it came through: the classical rule."""

import torch
from torch import Tensor, nn

from watermark.schemes.lattice.carriers import Carriers
from watermark.schemes.lattice.settings import ABSENT, FAINTEST, NEIGHBOURHOOD


class PilotTrust(nn.Module):
    """Weights in proportion to the expected amplitude, which is what a matched filter asks for."""

    needs_all_planes = False
    """Whether one plane alone cannot be judged."""

    def forward(self, lines: Tensor, carriers: Carriers, believe_pilot: bool = True) -> Tensor:
        """Positive weights ``(N, P, L)`` of lines ``(N, P, L)`` on P planes.

        Without a pilot to believe, the power of the data lines has to say how far they stand above the picture.
        """
        if not believe_pilot:
            power = _smoothed(lines.abs().square() - 1, carriers, ~carriers.is_pilot)
            return _at_least_faint(power.clamp_min(0).sqrt())
        count = int(carriers.is_pilot.sum())
        pilot = lines.real[..., carriers.is_pilot]
        standing = (pilot.sum(-1, keepdim=True) * (2 / count) ** 0.5).clamp_min(1e-3)
        there = (1 - (ABSENT / standing) ** 2).clamp_min(FAINTEST)  # (N, P, 1) is the mark on this plane at all
        return _at_least_faint(_smoothed(lines.real, carriers, carriers.is_pilot)) * there


def pilot_around(lines: Tensor, carriers: Carriers) -> Tensor:
    """What the pilot lines around each of lines ``(N, P, L)`` add up to, in standard deviations without a mark."""
    kernel = _kernel(carriers, carriers.is_pilot).to(lines.real)
    return lines[..., carriers.is_pilot].real @ kernel.T * (2 / kernel.square().sum(1)).sqrt()


def _smoothed(values: Tensor, carriers: Carriers, judges: Tensor) -> Tensor:
    """Means of ``values`` ``(..., L)`` at the lines ``judges`` ``(L,)`` around every line."""
    return values[..., judges] @ _kernel(carriers, judges).to(values).T


def _kernel(carriers: Carriers, judges: Tensor) -> Tensor:
    """How much each of the lines ``judges`` ``(L,)`` counts around every line ``(L, J)``; every row adds up to 1."""
    ours, theirs = carriers.frequencies, carriers.frequencies[judges]
    distance = torch.minimum(torch.cdist(ours, theirs), torch.cdist(-ours, theirs))  # a line is also its negative
    kernel = torch.exp(-0.5 * (distance / NEIGHBOURHOOD) ** 2) + 1e-6
    return kernel / kernel.sum(1, keepdim=True)


def _at_least_faint(amplitude: Tensor) -> Tensor:
    """No weight below its share of the greatest in each picture."""
    return amplitude.clamp_min(FAINTEST * amplitude.amax(-1, keepdim=True).clamp_min(1e-3))
