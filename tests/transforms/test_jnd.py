"""What a place hides: the means that the mask is made of."""

import torch

from watermark.transforms.jnd import headroom


def test_beside_a_line_there_is_less_room_than_in_a_texture():
    images = torch.full((1, 3, 64, 64), 0.5)
    images[..., 30:33] = 0.9
    textured = (images + 0.1 * torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    assert headroom(images, 512)[..., 26:28].mean() < headroom(textured, 512)[..., 26:28].mean()
