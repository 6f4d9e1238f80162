"""Blocks that overlap are put together as a transposed convolution does it."""

import torch
import torch.nn.functional as F

from watermark.transforms.overlap import overlap_add


def test_blocks_add_up_as_in_a_transposed_convolution():
    generator = torch.Generator().manual_seed(0)
    for side in (4, 8):
        coefficients, basis = torch.randn(2, 5, 6, 9, generator=generator), torch.randn(5, 1, side, side)
        expected = F.conv_transpose2d(coefficients, basis, stride=side // 2)
        torch.testing.assert_close(overlap_add(coefficients, basis), expected)
