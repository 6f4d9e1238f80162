"""Find scale, angle, aspect, flip and shift of a keyed pilot in one Fourier transform; any scheme may use it."""

from watermark.synchronization.geometry import Alignment, Pilot
from watermark.synchronization.reading import read_lines, trust
from watermark.synchronization.spectrum import Spectrum
from watermark.synchronization.synchronizer import Synchronizer

__all__ = ["Alignment", "Pilot", "Spectrum", "Synchronizer", "read_lines", "trust"]
