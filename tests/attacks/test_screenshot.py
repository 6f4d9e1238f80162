"""A screenshot shows the picture inside an interface, not exactly where a pixel grid would like it."""

import pytest
import torch

from attacks import Screenshot, ScreenshotCrop
from attacks.functional import warp


def best_shift(first: torch.Tensor, second: torch.Tensor) -> float:
    """Largest normalised correlation of two grey pictures over all circular shifts."""
    a, b = (picture.mean(1) - picture.mean() for picture in (first, second))
    spectrum = torch.fft.rfft2(a) * torch.fft.rfft2(b).conj()
    return float(torch.fft.irfft2(spectrum, s=a.shape[-2:]).amax() / (a.norm() * b.norm()))


@pytest.mark.parametrize("scale", [1, 0.8, 0.5])
def test_the_picture_is_in_there(photo, scale):
    attacked = Screenshot(scale, border=0.03)(photo)
    shown = warp.resize(photo, warp.scaled(photo, scale)).clamp(0, 1)
    top, left = (attacked.shape[-2] - shown.shape[-2]) // 2, (attacked.shape[-1] - shown.shape[-1]) // 2
    middle = attacked[..., top : top + shown.shape[-2], left : left + shown.shape[-1]]
    assert best_shift(middle, shown) > 0.9


def test_page_shows_around_the_picture_and_differs_between_users(photo):
    many = photo.expand(12, -1, -1, -1)
    edges = ScreenshotCrop(0.1)(many)[..., 40:-40, :2].mean((1, 2, 3))
    assert edges.std() > 0.1  # light pages and dark ones


def test_a_tight_crop_shows_no_page(photo):
    red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(4, 3, 100, 100)
    inner = ScreenshotCrop(-0.08)(red)[..., 8:-8, 8:-8]  # the corners may still be round
    assert (inner[:, 0] > 0.85).all()
    assert (inner[:, 1] < 0.3).all()  # Display P3 shows red a little paler


def test_at_scale_one_pixels_stay_pixels():
    """Without scaling the screen shows the picture's own pixels, so a capture with true colours has them exactly."""
    images = (torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(5)) * 255).round() / 255
    exact = 0
    for seed in range(12):
        attacked = Screenshot(1, border=0.1)(images, torch.Generator().manual_seed(seed))
        windows = attacked.unfold(2, 8, 1).unfold(3, 8, 1)
        exact += bool(((windows - images[..., 30:38, 30:38][:, :, None, None]).abs().amax((1, 4, 5)) < 1e-6).any())
    assert 1 <= exact < 12  # one display in three is faithful


def test_saved_values_are_those_of_an_8_bit_file(photo):
    for file in ("png", "jpeg"):
        attacked = Screenshot(0.67, file=file)(photo) * 255
        assert torch.allclose(attacked, attacked.round(), atol=1e-3)
