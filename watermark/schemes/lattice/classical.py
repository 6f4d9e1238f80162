"""The four strategies without training: local normalisation, a texture mask, flat spectra, a matched filter."""

import math

import torch
from torch import Tensor, nn

from watermark.schemes.lattice.mark import LatticeMark, Strategies
from watermark.schemes.lattice.planes import CYAN
from watermark.schemes.lattice.settings import Band
from watermark.schemes.lattice.trust import PilotTrust
from watermark.transforms.jnd import texture_mask
from watermark.transforms.whitening import LocalDctWhitening


class EvenMask(nn.Module):
    """``texture_mask``, the same for both planes.

    Args:
        exponent: 0 spreads the mark evenly, 1 follows texture fully.
    """

    def __init__(self, exponent: float) -> None:
        super().__init__()
        self.exponent = exponent

    def forward(self, images: Tensor) -> Tensor:
        """``(N, 2, H, W)``."""
        return texture_mask(images, self.exponent)[:, None].expand(-1, 2, -1, -1)


class FlatSpectrum(nn.Module):
    """Log amplitudes ``(2, L)`` that do not depend on the line.

    Args:
        share: of the energy on the second plane.
    """

    alike = True
    """Whether the spectrum of both planes is the same but for a factor, so that they are drawn at once."""

    def __init__(self, share: float) -> None:
        super().__init__()
        if not 0 < share < 1:
            raise ValueError(f"chroma_share must be between 0 and 1, got {share}")
        self.share = share

    def forward(self, radius: Tensor, angle: Tensor) -> Tensor:  # noqa: ARG002 - it is what a profile is asked by
        """See the class."""
        heights = radius.new_tensor([math.log1p(-self.share), math.log(self.share)]) / 2
        return heights[:, None].expand(-1, len(radius))


def classical_mark(
    message_bits: int,
    band: Band,
    pilot_share: float,
    mask_exponent: float,
    whitening_exponent: float,
    chroma_share: float,
    rejection: float,
) -> LatticeMark:
    """A mark that needs no weights file; the arguments are those of ``TileSpread``."""
    whiten = nn.ModuleList(LocalDctWhitening(exponent=whitening_exponent) for _ in range(2))
    strategies = Strategies(
        planes=CYAN,
        whiten=whiten,
        mask=EvenMask(mask_exponent),
        amplitude=FlatSpectrum(chroma_share),
        weights=PilotTrust(),
        rejection=nn.Parameter(torch.tensor(rejection)),
    )
    return LatticeMark(message_bits, band, pilot_share, strategies)
