"""Is it worth searching on? What ``search="quick"`` asks before it looks everywhere.

Of a picture without a mark most of the time goes into finalists, bends and decoding. A mark that can be read shows
before that: in the power of luma at some geometry, in the pilot at the geometries of most power, or in the pilot of
both planes somewhere at the usual poses. None of it knows the codec's key, so what is left out here leaves the
false-positive rate where it was.
"""

from torch import Tensor

from watermark.synchronization.coarse import LogLogSearch, LogPolarSearch
from watermark.synchronization.geometry import Alignment
from watermark.synchronization.spectrum import Spectrum
from watermark.synchronization.synchronizer import Synchronizer


def promising(sync: Synchronizer, luma: Spectrum, both: Spectrum, poses: Alignment, scale: float) -> Tensor:
    """In which maps ``(N,)`` a mark may lie: the cheapest sign is asked first, and one is enough.

    Args:
        sync: of the key.
        luma: of N maps.
        both: luma and colour of the same maps.
        poses: what ``sync.fast`` found in luma.
        scale: px of a map per px of an unscaled picture.
    """
    hopeful = poses.score[:, 0] >= sync.settings.hopeful_pose
    signs = (
        lambda left: _somewhere(sync, luma.select(left), sync.log_polar),
        lambda left: _somewhere(sync, luma.select(left), sync.log_log),
        lambda left: _cropped(sync, both.select(left), scale),
    )
    for sign in signs:
        left = (~hopeful).nonzero()[:, 0]
        if len(left):
            hopeful[left] = sign(left)
    return hopeful


def _somewhere(sync: Synchronizer, spectrum: Spectrum, coarse: LogPolarSearch | LogLogSearch) -> Tensor:
    """Whether some geometry of a coarse search is loud, or holds a pilot at some shift ``(N,)``."""
    power, matrices = coarse(spectrum, sync.settings.hopeful_cells, rough=True)
    pilot, _, _ = sync.peaks(spectrum, matrices, 1)
    return (power[:, 0] >= sync.settings.hopeful_power) | (pilot[:, 0] >= sync.settings.hopeful_pilot)


def _cropped(sync: Synchronizer, spectrum: Spectrum, scale: float) -> Tensor:
    """Whether there is a pilot at any shift of the usual poses ``(N,)``."""
    pilot, _, _ = sync.peaks(spectrum, sync.unshifted(spectrum, scale), 1)
    return pilot[:, 0] >= sync.settings.hopeful_crop
