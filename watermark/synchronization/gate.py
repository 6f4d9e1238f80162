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

from watermark.synchronization.coarse import LogLogSearch, LogPolarSearch
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
    settings = sync.settings
    small = math.prod(luma.size) < settings.hopeful_area
    flat = (luma.flattened(), colour.flattened())
    ways = [(flat[1], settings.hopeful_in_colour)]
    ways.append((flat[0], settings.hopeful_small if small else settings.hopeful_in_luma))
    if small:
        ways.append((luma, settings.hopeful_small))
    hopeful = posed >= settings.hopeful_pose
    for spectrum, cells in ways:
        for coarse in (sync.log_polar, sync.log_log):
            left = (~hopeful).nonzero()[:, 0]
            if len(left):
                hopeful[left] = _somewhere(sync, spectrum.select(left), coarse, cells)
    for spectrum in flat:  # a shear is rare, and loud where it can be read
        left = (~hopeful).nonzero()[:, 0]
        if len(left):
            power, _ = sync.log_slope(spectrum.select(left), 1, rough=True)
            hopeful[left] = power[:, 0] >= settings.hopeful_power
    return hopeful


def _somewhere(sync: Synchronizer, spectrum: Spectrum, coarse: LogPolarSearch | LogLogSearch, cells: int) -> Tensor:
    """Whether a coarse search finds a loud geometry, or its best cells a high pilot at some shift ``(N,)``."""
    power, matrices = coarse(spectrum, cells, rough=True)
    pilot, _, _ = sync.peaks(spectrum, matrices, 1)
    return (power[:, 0] >= sync.settings.hopeful_power) | (pilot[:, 0] >= sync.settings.hopeful_pilot)
