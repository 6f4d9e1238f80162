"""Read the lines of a mark at an alignment."""

from torch import Tensor

from watermark.synchronization.geometry import Alignment
from watermark.synchronization.settings import LINE_LIMIT
from watermark.synchronization.spectrum import Spectrum


def read_lines(spectrum: Spectrum, alignment: Alignment, frequencies: Tensor) -> Tensor:
    """The lines ``(L, 2)`` as they were embedded: ``(N, L)`` complex, unit mean power where there is no mark.

    With C candidate alignments for each picture the answer is ``(N, C, L)``. Limited in size, so that no single line of
    the picture outvotes the mark.
    """
    found = spectrum.at(alignment.frequencies(frequencies))
    size = found.abs().clamp_min(1e-12)
    return found * (LINE_LIMIT / size).clamp(max=1) * alignment.phases(frequencies)
