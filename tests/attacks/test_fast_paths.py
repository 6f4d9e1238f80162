"""OpenCV on the CPU gives what torch gives; an attack may use either and the rows stay comparable."""

import numpy as np
import pytest
import torch
from attack_files import attack_config, build_attack, every_rung

import attacks
from attacks import denoise
from attacks.functional import color, filters, opencv, warp
from attacks.functional.codec import to_pillow

NAMES = sorted({name for name, _, _ in every_rung()})


@pytest.fixture
def torch_only(monkeypatch):
    """Run something as on a GPU: without OpenCV."""

    def run(call):
        with monkeypatch.context() as patched:
            patched.setattr(opencv, "serves", lambda *tensors: False)
            return call()

    return run


def both(call, torch_only):
    return float((call() - torch_only(call)).abs().max())


@pytest.mark.parametrize("sigma", [0.5, 3, 20])
def test_blur_agrees(photos, torch_only, sigma):
    assert both(lambda: filters.gaussian_blur(photos, sigma), torch_only) < 1e-5
    assert both(lambda: filters.box_blur(photos, 2), torch_only) < 1e-5


@pytest.mark.parametrize("mode", ["bicubic", "bilinear"])
@pytest.mark.parametrize("outside", [0.0, 0.3])
def test_projections_agree_to_a_fraction_of_a_level(photos, torch_only, mode, outside):
    """A position is a float32, so neighbours that differ by a whole unit can differ by 1e-4 in between."""
    shared = torch.tensor([[[0.9, -0.4, 3.7], [0.4, 0.9, 0], [0.001, 0, 1]]], dtype=torch.float64)
    own = shared + torch.tensor([0.0, 3.7, -50.2], dtype=torch.float64).view(3, 1, 1) * torch.tensor([[[0, 0, 1.0]]])
    for back in (shared, own / own[:, 2:, 2:]):
        assert both(lambda: warp.project(photos, back, (300, 110), outside, mode), torch_only) < 3e-4  # noqa: B023


def test_the_nearest_pixel_is_the_same_one_but_for_ties(photos, torch_only):
    turn = attacks.Rotation(9, mode="nearest")
    assert (turn(photos) == torch_only(lambda: turn(photos))).float().mean() > 0.995


def test_lookups_agree_to_a_fraction_of_a_level(photos, torch_only):
    shared = 0.9 * warp.pixel_grid(80, 110, photos)[None] + 4.1
    own = shared + torch.tensor([0.0, 3.7, -50.2]).view(3, 1, 1, 1)
    for places in (shared, own):
        assert both(lambda: warp.sample(photos, places), torch_only) < 3e-4  # noqa: B023 - called at once


@pytest.mark.parametrize("exponent", [0.5, 0.67, 2.2])
def test_powers_agree(photos, torch_only, exponent):
    assert both(lambda: attacks.Gamma(exponent)(photos), torch_only) < 1e-6


@pytest.mark.parametrize("turn", [-0.4, 0.1, 0.5])
def test_hue_agrees(photos, torch_only, turn):
    grey = torch.full((1, 3, 8, 8), 0.3)
    assert both(lambda: color.turn_hue(photos, turn), torch_only) < 1e-5
    assert torch.allclose(color.turn_hue(grey, turn), grey, atol=1e-6)


def test_strips_of_nonlocal_means_are_the_whole(photos, monkeypatch):
    found = []
    for rows in (1000, 7):
        monkeypatch.setattr(denoise, "STRIP", rows)
        found.append(attacks.NonLocalMeans(0.08)(photos))
    assert torch.allclose(*found, atol=1e-5)


@pytest.mark.parametrize("size", [3, 5])
def test_median_is_the_exchange_networks(photos, size):
    assert torch.equal(attacks.Median(size)(photos), filters.small_median_8bit(photos, size))


def test_bytes_are_rounded_to_the_nearest_level():
    images = (torch.arange(3 * 64 * 32).view(1, 3, 64, 32) % 511 / 2).clamp(max=255) / 255  # every level, every half
    expected = (images[0] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    assert np.array_equal(np.asarray(to_pillow(images)[0]), expected)


@pytest.mark.parametrize("name", NAMES)
def test_every_attack_is_the_same_without_opencv(name, photos, torch_only):
    """Mean difference below a tenth of a level; a value may round to another level, or a codec to another step."""
    if name.startswith("embedding_attack"):
        pytest.skip("signs of gradients near zero differ")
    (parameter,) = attack_config(name).sweep
    attack = build_attack(name, parameter, attack_config(name).sweep[parameter][-1])
    assert (attack(photos) - torch_only(lambda: attack(photos))).abs().mean() < 0.1 / 255


def test_gradients_and_double_precision_stay_with_torch(photos):
    assert opencv.serves(photos)
    assert not opencv.serves(photos.double())
    wanted = photos.clone().requires_grad_(True)
    assert not opencv.serves(wanted)
    with torch.no_grad():
        assert opencv.serves(wanted)


def test_a_batch_is_attacked_picture_by_picture_to_the_bit(photos):
    warps = attacks.Rotation(9), attacks.Shear(0.1), attacks.Perspective(0.3), attacks.Perspective(0.7)
    for attack in (*warps, attacks.GaussianBlur(3), attacks.Regeneration(0.1), attacks.Jpeg(30)):
        dice = [torch.Generator().manual_seed(i) for i in range(3)]
        together = attack(photos, dice)
        for i in range(3):
            alone = attack(photos[i : i + 1], [torch.Generator().manual_seed(i)])
            assert torch.equal(alone[0], together[i])
