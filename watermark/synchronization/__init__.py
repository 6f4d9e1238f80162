"""Find scale, angle, aspect, flip and shift of a keyed pilot in one Fourier transform; any scheme may use it."""

from watermark.synchronization.gate import promising
from watermark.synchronization.geometry import Alignment, Lines, Poses
from watermark.synchronization.reading import read_lines
from watermark.synchronization.search import Search
from watermark.synchronization.settings import SearchSettings
from watermark.synchronization.slant import straightened
from watermark.synchronization.spectrum import Spectrum, spectra
from watermark.synchronization.synchronizer import Synchronizer
from watermark.synchronization.tracking import follow, joint_score, spread_to, windows

__all__ = [
    "Alignment",
    "Lines",
    "Poses",
    "Search",
    "SearchSettings",
    "Spectrum",
    "Synchronizer",
    "follow",
    "joint_score",
    "promising",
    "read_lines",
    "spectra",
    "spread_to",
    "straightened",
    "windows",
]
