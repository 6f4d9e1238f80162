"""The same operation by kornia, which computes on tensors too: closer agreement than with libraries of bytes."""

import math

import pytest
import torch

import attacks
from attacks.functional import color
from attacks.geometry import project_corners

pytest.importorskip("kornia")
from kornia import color as kornia_color
from kornia import enhance, filters, geometry


def largest(first: torch.Tensor, second: torch.Tensor) -> float:
    return float((first - second).abs().max())


@pytest.fixture(scope="module")
def levels(photo):
    """A picture of 8-bit values, where an order statistic is exact."""
    return (photo * 255).round() / 255


@pytest.mark.parametrize("sigma", [1, 3])
def test_blur_is_kornias(photo, sigma):
    size = 2 * math.ceil(4 * sigma) + 1
    expected = filters.gaussian_blur2d(photo, (size, size), (sigma, sigma), "replicate")
    assert largest(attacks.GaussianBlur(sigma)(photo), expected) < 1e-5


@pytest.mark.parametrize("size", [3, 9])
def test_median_is_kornias_inside_the_border(levels, size):
    inner = (..., slice(size // 2, -(size // 2)), slice(size // 2, -(size // 2)))
    assert torch.equal(attacks.Median(size)(levels)[inner], filters.median_blur(levels, size)[inner])


def test_equalised_histograms_are_kornias(levels):
    assert largest(attacks.Equalize(1)(levels), enhance.equalize(levels)) < 1e-6


@pytest.mark.parametrize("turn", [-0.25, 0.1, 0.5])
def test_hue_is_kornias(photo, turn):
    assert largest(attacks.Hue(turn)(photo), enhance.adjust_hue(photo, 2 * math.pi * turn)) < 1e-5


def test_gamma_and_linear_light_are_kornias(photo):
    assert largest(attacks.Gamma(1.5)(photo), enhance.adjust_gamma(photo, 1.5)) < 1e-6
    assert largest(color.to_linear(photo), kornia_color.rgb_to_linear_rgb(photo)) < 1e-6


@pytest.mark.parametrize("degrees", [-30, 9])
def test_rotation_is_kornias_bicubic(photo, degrees):
    angle = torch.tensor([float(degrees)], dtype=torch.float64)
    expected = geometry.rotate(photo.double(), angle, mode="bicubic", align_corners=True).clamp(0, 1)
    assert largest(attacks.Rotation(degrees)(photo), expected) < 3e-4


def test_perspective_is_kornias_bilinear(photo):
    height, width = photo.shape[-2:]
    corners = torch.tensor([[[-110.0, -80], [115, -90], [120, 85], [-118, 92]]], dtype=torch.float64)
    start = torch.tensor([[[0, 0], [width, 0], [width, height], [0, height]]], dtype=torch.float64) - 0.5
    middle = torch.tensor([(width - 1) / 2, (height - 1) / 2], dtype=torch.float64)
    matrix = geometry.get_perspective_transform(start, corners + middle)
    expected = geometry.warp_perspective(photo.double(), matrix, (height, width), align_corners=True)
    assert largest(project_corners(photo, corners), expected) < 3e-4


@pytest.mark.parametrize("quality", [90, 50, 10])
def test_soft_jpeg_is_nearer_to_the_real_file_than_kornias(photo, quality):
    real = attacks.Jpeg(quality)(photo)
    kornias = enhance.JPEGCodecDifferentiable()(photo, torch.tensor([float(quality)]))
    ours = attacks.SoftJpeg(quality)(photo)
    assert (ours - real).abs().mean() < (kornias - real).abs().mean()
    assert (ours - kornias).abs().mean() < 2 / 255
