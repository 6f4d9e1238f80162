"""Spread spectrum on keyed waves with a keyed pilot: survives crops, turns, screenshots and re-compression.

The mark is a sum of some thousand plane waves at places that only the key knows, under a plane that lies differently in
every picture. A quarter of its energy is a pilot; the rest carries the message, every bit on several waves. A detector
whitens the picture, takes one Fourier transform, finds the affine map at which the pilot adds up
(``watermark.synchronization``), and looks the data lines up there, trusting each region of the spectrum as far as the
pilot survived in it. The ideas are those of the spread-spectrum literature (Cox et al. 1997, O Ruanaidh & Pun 1998,
Pereira & Pun 2000, Malvar & Florencio 2003).
"""

from watermark.keys import Key
from watermark.schemes.lattice.classical import classical_mark
from watermark.schemes.lattice.scheme import LatticeScheme
from watermark.schemes.lattice.settings import Band


class TileSpread(LatticeScheme):
    """The classical scheme of the family: nothing in it was trained.

    Args:
        message_bits: channel bits.
        key: secret of lines, phases, poses, interleaving and signs.
        target_psnr: dB.
        band: least and greatest frequency of the lines, cycles per plane px.
        pilot_lines: number of pilot lines; more are harder to notch out, fewer are found at lower amplitude.
        pilot_band: their frequencies.
        pilot_share: share of the mark's energy that the pilot takes.
        mask_exponent: 0 spreads the mark evenly, 1 follows texture fully.
        exponent: of the whitening.
        effort: rounds of informed embedding: mark, read, give more to the bits that the picture speaks against.
        inform: how much of the picture's own contribution to a bit each round takes out, 0 to 1.
        chroma_share: share of the energy in a colour difference, where pictures are quiet: it carries crops, blur and
            median filters, and dies first in strong JPEG.
        flat_share: the greatest RMS of the mark in flat areas, as a share of the RMS that ``target_psnr`` stands for: a
            slide or a logo is marked more faintly rather than showing grain.
        target_evidence: decades by which the message is to stand above chance after half size and JPEG 50; each picture
            is then marked only as strongly as that takes, at ``target_psnr`` at the strongest. None: all at it.
    """

    name = "tile_spread"

    def __init__(
        self,
        message_bits: int = 1024,
        *,
        key: Key,
        target_psnr: float | None = 45.0,
        band: tuple[float, float] = (0.02, 0.2),
        pilot_lines: int = 96,
        pilot_band: tuple[float, float] = (0.05, 0.18),
        pilot_share: float = 0.27,
        mask_exponent: float = 0.85,
        exponent: float = 1.3,
        effort: int = 1,
        inform: float = 0.4,
        chroma_share: float = 0.06,
        flat_share: float = 0.7,
        target_evidence: float | None = None,
    ) -> None:
        lines = Band(*band, pilot_lines, *pilot_band)
        core = classical_mark(message_bits, lines, pilot_share, mask_exponent, exponent, chroma_share, inform)
        super().__init__(message_bits, key, target_psnr, core, effort, flat_share, target_evidence)
