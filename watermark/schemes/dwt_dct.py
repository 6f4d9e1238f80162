"""DWT-DCT: one mid-low DCT coefficient per block of the wavelet approximation carries the bit."""

import torch
from torch import Tensor

from watermark.schemes.block_quantization import BlockQuantization
from watermark.transforms.dct import block_dct, block_idct

POSITION = (1, 1)  # row, column in the 4 x 4 DCT: a diagonal wave of about 0.09 cycles per canonical pixel


class DwtDct(BlockQuantization):
    """The field's DWT-DCT baseline (Al-Haj 2007; ``dwtDct`` of invisible-watermark), done right.

    Against the usual implementation: sub-bands go back where they came from, the DCT is orthonormal, luma instead of
    a chroma channel that JPEG subsamples, a fixed coefficient instead of the largest one (which the attack may
    change), keyed dithers, and soft decisions.
    """

    def features(self, blocks: Tensor) -> Tensor:
        """The DCT coefficient at ``POSITION`` of every block."""
        return block_dct(blocks)[..., POSITION[0], POSITION[1]]

    def with_features(self, blocks: Tensor, values: Tensor) -> Tensor:
        """Change that one coefficient; orthonormality makes it the smallest change."""
        coefficients = block_dct(blocks)
        wave = torch.zeros_like(blocks[0, 0])
        wave[POSITION] = 1
        change = (values - coefficients[..., POSITION[0], POSITION[1]])[..., None, None] * block_idct(wave)
        return blocks + change
