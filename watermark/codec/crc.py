"""Cyclic redundancy checks over bit arrays, any leading shape, most significant bit first."""

import numpy as np
from numpy.typing import NDArray

POLYNOMIALS = {4: 0x3, 6: 0x27, 8: 0x2F, 12: 0x80F, 16: 0x1021, 24: 0x864CFB, 32: 0x04C11DB7}
"""Generator of each width without its leading term (ITU G.704, CDMA2000, AUTOSAR, CRC-12, CCITT, OpenPGP, IEEE)."""


def crc(bits: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """Check bits of each word, register started at all ones so that leading zeros count.

    Args:
        bits: ``(..., K)`` bool.
        width: number of check bits; one of ``POLYNOMIALS``.

    Returns:
        ``(..., width)`` bool.
    """
    if width not in POLYNOMIALS:
        raise ValueError(f"expected a CRC of {', '.join(map(str, POLYNOMIALS))} bits, got {width}")
    top, mask, polynomial = width - 1, (1 << width) - 1, POLYNOMIALS[width]
    register = np.full(bits.shape[:-1], mask, dtype=np.int64)
    for i in range(bits.shape[-1]):
        feedback = (register >> top) ^ bits[..., i]
        register = ((register << 1) & mask) ^ (feedback * polynomial)
    return (register[..., None] >> np.arange(top, -1, -1)) & 1 == 1
