"""Read the lines of a mark at an alignment, and learn from the pilot how far to trust each part of the spectrum."""

import torch
from torch import Tensor

from watermark.synchronization.coherent import LIMIT
from watermark.synchronization.geometry import Alignment
from watermark.synchronization.spectrum import Spectrum


def read_lines(spectrum: Spectrum, alignment: Alignment, lines: Tensor) -> Tensor:
    """The lines ``(L, 2)`` as they were embedded: ``(N, L)`` complex, unit mean power where there is no mark.

    With C candidate alignments for each picture the answer is ``(N, C, L)``. Limited in size, so that no single line of
    the picture outvotes the mark.
    """
    found = spectrum.at(alignment.frequencies(lines))
    size = found.abs().clamp_min(1e-12)
    return found * (LIMIT / size).clamp(max=1) * alignment.phases(lines)


def trust(pilot: Tensor, pilot_lines: Tensor, lines: Tensor, width: float = 0.03) -> Tensor:
    """How strong the mark still is at each line, judged by the pilot lines nearby.

    Args:
        pilot: ``(..., M)`` complex, the pilot lines as read, divided by their embedded symbols.
        pilot_lines: ``(M, 2)``.
        lines: ``(L, 2)`` where an answer is wanted.
        width: standard deviation of the smoothing kernel, cycles per plane px.

    Returns:
        ``(..., L)`` positive expected amplitudes of a pilot line, at least 5 % of the greatest in each picture.
    """
    return _at_least_faint(_smoothed(pilot.real, pilot_lines, lines, width))


def trust_unaided(data: Tensor, lines: Tensor, width: float = 0.03) -> Tensor:
    """``trust`` where there is no pilot to judge by: how far the power of the data lines stands above a picture's.

    Args:
        data: ``(..., L)`` complex, the data lines as read.
        lines: ``(L, 2)``.
        width: standard deviation of the smoothing kernel, cycles per plane px.

    Returns:
        ``(..., L)`` positive expected amplitudes of a data line.
    """
    power = _smoothed(data.abs().square() - 1, lines, lines, width)
    return _at_least_faint(power.clamp_min(0).sqrt())


def _smoothed(values: Tensor, places: Tensor, lines: Tensor, width: float) -> Tensor:
    """Local means of ``values`` ``(..., M)`` at ``places`` ``(M, 2)`` around ``lines`` ``(L, 2)``."""
    ours, theirs = lines.double(), places.double()
    distance = torch.minimum(torch.cdist(ours, theirs), torch.cdist(-ours, theirs))  # a line is also its negative
    kernel = torch.exp(-0.5 * (distance / width) ** 2) + 1e-6
    return values @ (kernel / kernel.sum(1, keepdim=True)).to(values).T


def _at_least_faint(amplitude: Tensor) -> Tensor:
    return amplitude.clamp_min(0.05 * amplitude.amax(-1, keepdim=True).clamp_min(1e-3))
