"""DWT-DCT-SVD: the largest singular value of every block of the wavelet approximation carries the bit."""

import torch
from torch import Tensor

from watermark.schemes.block_quantization import BlockQuantization
from watermark.transforms.dct import block_dct, block_idct


class DwtDctSvd(BlockQuantization):
    """The field's DWT-DCT-SVD baseline (``dwtDctSvd`` of invisible-watermark), done right.

    The largest singular value is close to four times the block's mean luma, which is why this scheme stands blur,
    noise and JPEG well and any change of brightness or contrast badly. (An orthonormal DCT leaves singular values as
    they are; it decides only where the change goes in an all-black block, which has no singular vectors of its own.)
    """

    signed = False

    def features(self, blocks: Tensor) -> Tensor:
        """The largest singular value of every block."""
        return torch.linalg.svdvals(block_dct(blocks))[..., 0]

    def with_features(self, blocks: Tensor, values: Tensor) -> Tensor:
        """Change that singular value along its own pair of vectors, the smallest change that does it."""
        left, singular, right = torch.linalg.svd(block_dct(blocks))
        wave = left[..., :, 0:1] @ right[..., 0:1, :]  # (N, B, 4, 4), unit norm
        return blocks + block_idct((values - singular[..., 0])[..., None, None] * wave)
