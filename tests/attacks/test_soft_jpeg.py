"""The stand-in for training stays close to the codec that is scored."""

import pytest
import torch

import attacks


def psnr(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(-10 * torch.log10((first - second).square().mean()))


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
@pytest.mark.parametrize("quality", [95, 75, 50, 30, 10])
def test_soft_jpeg_is_closer_to_the_real_one_than_the_real_one_to_the_original(photo, quality, subsampling):
    soft, real = attacks.SoftJpeg(quality, subsampling)(photo), attacks.Jpeg(quality, subsampling)(photo)
    assert psnr(soft, real) > 35
    assert psnr(soft, real) > psnr(real, photo) + 3


def test_soft_jpeg_gradient_is_that_of_the_operation(photo):
    images = (photo[..., :32, :32].double() * 0.6 + 0.2).requires_grad_(True)  # away from the clamp
    layer = attacks.SoftJpeg(30)
    direction = torch.randn(images.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    weight = torch.randn(images.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    (slope,) = torch.autograd.grad((layer(images) * weight).sum(), images)
    step = 1e-6
    with torch.no_grad():
        measured = ((layer(images + step * direction) - layer(images - step * direction)) * weight).sum() / (2 * step)
    assert torch.isclose((slope * direction).sum(), measured, rtol=1e-3)


def test_soft_screen_camera_is_close_to_the_real_one(photo):
    soft, real = attacks.SoftScreenCamera(3)(photo), attacks.ScreenCamera(3)(photo)
    assert psnr(soft, real) > 32
