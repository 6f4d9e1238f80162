"""What an attacker does who knows everything but the key: where a mark may lie, how it is drawn, how it is read.

Attacks on one picture are ``Attack`` classes with a configuration each (``suite=security``). Those that need many
marked pictures, or answers of a detector, take pictures and callables: ``watermark forgery`` runs them. Nothing here
knows a scheme or a key.
"""

from attacks.security.averaging import SubtractPattern, aligned_mean
from attacks.security.band import BandNoise, BandStop
from attacks.security.black_box import Climb, boundary, spsa
from attacks.security.comb import Comb, PeriodComb, find_period
from attacks.security.spectrum import SpectralNotch, mean_excess

__all__ = [
    "BandNoise",
    "BandStop",
    "Climb",
    "Comb",
    "PeriodComb",
    "SpectralNotch",
    "SubtractPattern",
    "aligned_mean",
    "boundary",
    "find_period",
    "mean_excess",
    "spsa",
]
