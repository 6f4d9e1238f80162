"""Is it worth searching on? What ``search="quick"`` asks before it looks everywhere.

Of a picture without a mark most of the time goes into finalists, bends and decoding. A mark that can be read shows
before that: in the power of one plane at some geometry, or in the pilot of that plane at the geometries of most power.
Each plane is asked alone, for what harms one often spares the other (JPEG takes colour, texture drowns luma), and a sum
of a plane with a mark and one without is fainter than the first. And each is flattened: what a steep spectrum leaves
over drowns power. None of it knows the codec's key, so what is left out here leaves the false-positive rate where it
was.
"""

import math

from torch import Tensor

from watermark.synchronization.spectrum import Spectrum
from watermark.synchronization.synchronizer import Synchronizer


def promising(sync: Synchronizer, luma: Spectrum, colour: Spectrum, posed: Tensor) -> Tensor:
    """In which maps ``(N,)`` a mark may lie: the cheapest sign is asked first, and one is enough.

    Args:
        sync: of the key.
        luma: of N maps.
        colour: of the same maps.
        posed: the best pilot score ``(N,)`` of the keyed poses.
    """
    settings, hopeful = sync.settings, posed >= sync.settings.hopeful_pose
    small = math.prod(luma.size) < settings.hopeful_area
    in_colour, in_luma = settings.hopeful_small if small else (settings.hopeful_in_colour, settings.hopeful_in_luma)
    for plane, cells in ((colour, in_colour), (luma, in_luma)):
        left = (~hopeful).nonzero()[:, 0]
        if len(left):
            hopeful[left] = _somewhere(sync, plane.select(left).flattened(), cells)
    left = (~hopeful).nonzero()[:, 0]
    if small and len(left):
        hopeful[left] = _somewhere(sync, luma.select(left), in_luma)
    return hopeful


def _somewhere(sync: Synchronizer, spectrum: Spectrum, cells: int) -> Tensor:
    """Whether a search finds a loud geometry, or the best cells of one a high pilot at some shift ``(N,)``."""
    settings = sync.settings
    power, _ = sync.rough_slope(spectrum, 1, rough=True)  # a shear is rare, and loud where it can be read
    hopeful = power[:, 0] >= settings.hopeful_power
    for coarse in (sync.log_polar, sync.log_log):
        left = (~hopeful).nonzero()[:, 0]
        if len(left):
            power, matrices = coarse(spectrum.select(left), cells, rough=True)
            pilot, _, _ = sync.peaks(spectrum.select(left), matrices, 1)
            hopeful[left] = (power[:, 0] >= settings.hopeful_power) | (pilot[:, 0] >= settings.hopeful_pilot)
    return hopeful
