"""The four strategies as networks."""

import torch
from torch import nn

from watermark.schemes.lattice.mark import LatticeMark, Strategies
from watermark.schemes.lattice.networks import BlockWhitening, LineWeights, Profile, TextureMask
from watermark.schemes.lattice.planes import YELLOW
from watermark.schemes.lattice.settings import Band


def trainable_mark(
    message_bits: int = 1024,
    low: float = 0.02,
    high: float = 0.2,
    pilot_lines: int = 96,
    pilot_band: tuple[float, float] = (0.05, 0.18),
    pilot_share: float = 0.25,
    width: int = 24,
    chroma: float = -1.2,
    mask_exponent: float = 0.75,
    spacing: float = 128.0,
) -> LatticeMark:
    """A mark to be trained, which starts as a classical one that works.

    Args:
        message_bits: K, code bits per picture.
        low: inner radius of the band, cycles per plane px.
        high: outer radius.
        pilot_lines: number of pilot lines.
        pilot_band: radii between which pilot lines lie.
        pilot_share: share of the energy that the pilot takes.
        width: channels of the whitening networks; 0 for the classical blocks alone.
        chroma: start value of the log amplitude of the colour plane against luma.
        mask_exponent: start value of the activity mask's exponent.
        spacing: plane px; there is one line per ``spacing ** -2``.
    """
    band = Band(low, high, pilot_lines, pilot_band[0], pilot_band[1], spacing)
    strategies = Strategies(
        planes=YELLOW,
        whiten=nn.ModuleList([BlockWhitening(width=width), BlockWhitening(width=width)]),
        mask=TextureMask(mask_exponent),
        amplitude=Profile(low, high, 16, (0.0, chroma)),
        weights=LineWeights(low, high),
        rejection=nn.Parameter(torch.tensor(0.4)),
    )
    return LatticeMark(message_bits, band, pilot_share, strategies)
