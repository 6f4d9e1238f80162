import torch

from watermark.transforms.color import luma, luma_to_rgb


def test_a_luma_change_comes_out_as_it_went_in_at_less_cost_than_a_grey_one():
    images = torch.rand(2, 3, 8, 8) * 0.5 + 0.25
    change = (torch.rand(2, 1, 8, 8) - 0.5) * 0.1
    moved = images + luma_to_rgb(change)
    torch.testing.assert_close(luma(moved) - luma(images), change, atol=1e-6, rtol=1e-4)
    assert luma_to_rgb(change).square().mean() < 0.76 * change.square().mean()  # grey would cost 1.0
