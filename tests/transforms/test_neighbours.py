"""Means over neighbourhoods."""

import pytest
import torch
import torch.nn.functional as F

from watermark.transforms.neighbours import local_mean


@pytest.mark.parametrize("window", [3, 5, 9, 15, 25])
@pytest.mark.parametrize("size", [(7, 40), (33, 20)])  # the largest window is larger than a side
def test_a_mean_is_that_of_what_lies_in_the_picture(window, size):
    planes = 255 * torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(window))
    expected = F.avg_pool2d(planes.double(), window, 1, window // 2, count_include_pad=False)
    torch.testing.assert_close(local_mean(planes, window).double(), expected, rtol=1e-6, atol=1e-4)
