"""Message bits on lattice lines: each line carries two signs, each bit several of them, placed and scrambled by key."""

import numpy as np
import torch
from torch import Tensor, nn

from watermark.keys import Key, keyed_permutation, keyed_signs


class LineCode(nn.Module):
    """Repeat ``bits`` message bits over the real and imaginary parts of lattice lines, interleaved by key.

    Args:
        lines: ``(L, 2)`` int, the lattice lines that carry data.
        bits: message bits, at most ``2 L``.
        key: secret of the interleaving and the signs.
    """

    lines: Tensor
    bit: Tensor
    sign: Tensor

    def __init__(self, lines: np.ndarray, bits: int, key: Key) -> None:
        super().__init__()
        places = 2 * len(lines)
        if bits > places:
            raise ValueError(f"expected at most {places} message bits on {len(lines)} lines, got {bits}")
        self.bits = bits
        bit = np.empty(places, np.int64)
        bit[keyed_permutation(key, "line order", places)] = np.arange(places) % bits
        self.register_buffer("lines", torch.from_numpy(lines), persistent=False)
        self.register_buffer("bit", torch.from_numpy(bit), persistent=False)
        self.register_buffer("sign", torch.from_numpy(keyed_signs(key, "line signs", places)).float(), persistent=False)

    def modulate(self, values: Tensor) -> Tensor:
        """Signed bit amplitudes ``(N, bits)`` to line symbols ``(N, L)``, complex; +-1 gives modulus ``sqrt 2``."""
        return torch.view_as_complex((values[:, self.bit] * self.sign).unflatten(1, (-1, 2)))

    def demodulate(self, symbols: Tensor, weights: Tensor) -> Tensor:
        """Line symbols ``(..., L)`` with positive weights ``(..., L)`` to summed soft bits ``(..., bits)``."""
        places = torch.view_as_real(symbols * weights).flatten(-2) * self.sign
        return places.new_zeros(*places.shape[:-1], self.bits).index_add_(-1, self.bit, places)
