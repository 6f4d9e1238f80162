"""What a place hides: the means that the mask is made of."""

import pytest
import torch
import torch.nn.functional as F

from watermark.transforms.jnd import _mean, headroom


@pytest.mark.parametrize("window", [3, 5, 9, 15, 25])
@pytest.mark.parametrize("size", [(7, 40), (33, 20)])  # the largest window is larger than a side
def test_a_mean_is_that_of_what_lies_in_the_picture(window, size):
    planes = 255 * torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(window))
    expected = F.avg_pool2d(planes.double(), window, 1, window // 2, count_include_pad=False)
    torch.testing.assert_close(_mean(planes, window).double(), expected, rtol=1e-6, atol=1e-4)


def test_beside_a_line_there_is_less_room_than_in_a_texture():
    images = torch.full((1, 3, 64, 64), 0.5)
    images[..., 30:33] = 0.9
    textured = (images + 0.1 * torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    assert headroom(images, 512)[..., 26:28].mean() < headroom(textured, 512)[..., 26:28].mean()
