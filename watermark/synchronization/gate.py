"""Is it worth searching on? What ``search="quick"`` asks before it looks everywhere.

Of a picture without a mark most of the time goes into finalists, bends and decoding. A mark that can be read shows
before that: in the power of luma at some geometry, or in the pilot of luma or of both planes at the geometries of most
power. (The power of both planes together says nothing, for the colours of a picture follow its luma.) None of it knows
the codec's key, so what is left out here leaves the false-positive rate where it was.
"""

import math

from torch import Tensor

from watermark.synchronization.coarse import LogLogSearch, LogPolarSearch
from watermark.synchronization.geometry import Alignment
from watermark.synchronization.spectrum import Spectrum
from watermark.synchronization.synchronizer import Synchronizer


def promising(sync: Synchronizer, luma: Spectrum, both: Spectrum, poses: Alignment) -> Tensor:
    """In which maps ``(N,)`` a mark may lie: the cheapest sign is asked first, and one is enough.

    Args:
        sync: of the key.
        luma: of N maps.
        both: luma and colour of the same maps.
        poses: what ``sync.fast`` found in luma.
    """
    settings = sync.settings
    hopeful = poses.score[:, 0] >= settings.hopeful_pose
    for spectrum, power, pilot in (
        (luma, settings.hopeful_power, settings.hopeful_pilot),
        (both, math.inf, settings.hopeful_in_both),
    ):
        for coarse in (sync.log_polar, sync.log_log):
            left = (~hopeful).nonzero()[:, 0]
            if len(left):
                hopeful[left] = _somewhere(sync, spectrum.select(left), coarse, power, pilot)
    return hopeful


def _somewhere(
    sync: Synchronizer, spectrum: Spectrum, coarse: LogPolarSearch | LogLogSearch, loud: float, believed: float
) -> Tensor:
    """Whether some geometry of a coarse search is as loud, or holds a pilot as high at some shift ``(N,)``."""
    power, matrices = coarse(spectrum, sync.settings.hopeful_cells, rough=True)
    pilot, _, _ = sync.peaks(spectrum, matrices, 1)
    return (power[:, 0] >= loud) | (pilot[:, 0] >= believed)
