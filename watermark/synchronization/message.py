"""Align by the message itself where the pilot is gone: somebody took its lines out.

A line that carries two signs has its phase at one of four quarter turns from a keyed one, so its fourth power is the
same for every message. Summed over all lines it tells where they lie, as a pilot does.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from watermark.synchronization.climbing import polish
from watermark.synchronization.coherent import AllShifts, CoherentScore, half_turned
from watermark.synchronization.geometry import Alignment, Lines
from watermark.synchronization.settings import SearchSettings
from watermark.synchronization.spectrum import Spectrum

ORDER = 4
"""The power of a line that is the same for every message."""


class MessageSync(nn.Module):
    """Find lines that carry two signs each, as their real and their imaginary part.

    Args:
        data: the lines.
        settings: which shifts are tried, and what is believed.
    """

    def __init__(self, data: Lines, settings: SearchSettings) -> None:
        super().__init__()
        self.settings = settings
        squared = Lines(data.frequencies, data.symbols * np.exp(0.25j * math.pi))  # (+-1 +- i) ** 4 = -4
        self.score = CoherentScore(squared, ORDER, settings.message_limit)
        low = squared.select(np.hypot(*data.frequencies.T) < settings.message_low)
        self.low = CoherentScore(low, ORDER, settings.message_limit)
        self.shifts = AllShifts(self.low, settings.reach, settings.message_step, settings.looked_at)

    def forward(self, spectrum: Spectrum, matrices: Tensor) -> Alignment:
        """Try all shifts of some matrices.

        Args:
            spectrum: of N maps.
            matrices: ``(N, C, 2, 2)``.

        Returns:
            The two best alignments ``(N, 2)``, with a score of 0, for the pilot speaks for none of them, and of minus
            infinity where nothing stands out.
        """
        products = self.low.products(spectrum, matrices)
        both = torch.cat([products, half_turned(products, self.low.symbols)], 1)
        _, shifts, which = self.shifts(both, 2)
        matrices = torch.cat([matrices, -matrices], 1).gather(1, which[..., None, None].expand(-1, -1, 2, 2))
        scores, matrices, shifts = polish(self.score, spectrum, matrices, shifts, self.settings.message_climb)
        return Alignment(matrices, shifts, torch.where(scores >= self.settings.message_believe, 0.0, -math.inf))
