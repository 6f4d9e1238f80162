"""Attacks of the published suites against the operations in the authors' own code, written down here as formulas.

Read in November 2026: facebookresearch/videoseal and omnisealbench, umd-huang-lab/WAVES, ispras/wibe,
JPEG-Trust-Community/watermarking. Their torchvision calls are made here, with the arguments that they make them with.
"""

import io
import math

import pytest
import torch
import torch.nn.functional as F
from attack_files import CONFIGS
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from PIL import Image

import attacks
from attacks.functional.codec import from_pillow, to_pillow

vision = pytest.importorskip("torchvision.transforms.functional")
BILINEAR, NEAREST = vision.InterpolationMode.BILINEAR, vision.InterpolationMode.NEAREST


@pytest.fixture(scope="module")
def picture(photo):
    """8-bit values, sides that do not divide, ``(1, 3, 187, 251)``."""
    return (photo[..., :187, :251] * 255).round() / 255


def attack_of(suite: str, name: str) -> attacks.Attack:
    """The first rung of a suite's attack."""
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        entry = compose(overrides=[f"+suite={suite}"]).suite[name]
    ((parameter, rungs),) = entry.sweep.items()
    return instantiate(entry.build)(**{parameter: rungs[0]})


def equal_share(first: torch.Tensor, second: torch.Tensor) -> float:
    assert first.shape == second.shape
    return float(((first - second).abs().amax(1) < 1e-3).float().mean())


@pytest.mark.parametrize(
    ("suite", "mode"), [("waves", NEAREST), ("omniseal", NEAREST), ("videoseal", NEAREST), ("wibe", BILINEAR)]
)
def test_turns_take_the_nearest_pixel_or_the_mean_of_four(picture, suite, mode):
    attack = attack_of(suite, "rotation")
    assert equal_share(attack(picture), vision.rotate(picture, attack.strength, interpolation=mode)) > 0.99
    other = NEAREST if mode == BILINEAR else BILINEAR
    assert equal_share(attack(picture), vision.rotate(picture, attack.strength, interpolation=other)) < 0.7


def test_videoseals_quarter_turn_loses_nothing(picture):
    assert torch.allclose(attack_of("videoseal", "quarter_turn")(picture), picture.rot90(1, (-2, -1)), atol=1e-4)


@pytest.mark.parametrize(("suite", "side"), [("videoseal", 0.32), ("omniseal", math.sqrt(0.32)), ("wibe", 0.5)])
def test_resizes_are_bilinear_and_sizes_are_cut_where_the_authors_cut_them(picture, suite, side):
    resized = attack_of(suite, "resize")(picture)
    whole = int if suite != "wibe" else lambda x: int(round(x))  # noqa: RUF046 - as written there
    size = [whole(side * 187), whole(side * 251)]
    expected = vision.resize(picture, size, antialias=True)
    assert resized.shape == expected.shape
    assert (resized - expected).abs().amax() < 1e-5


def test_one_side_alone_is_scaled_bilinearly_in_wibe(picture):
    expected = vision.resize(picture, [187, round(0.5 * 251)], antialias=True)
    assert (attack_of("wibe", "aspect")(picture) - expected).abs().amax() < 1e-5


@pytest.mark.parametrize("name", ["crop_center", "chain_omniseal"])
def test_omniseals_crops_have_the_authors_size(picture, name):
    attack = attack_of("omniseal", name)
    side = math.sqrt(0.05) if name == "crop_center" else 0.5  # the comb's half is of a side
    assert attack(picture).shape[-2:] == (int(side * 187), int(side * 251))


def test_omniseals_comb_cuts_anywhere_then_brightens_then_saves(picture):
    def seed():
        return torch.Generator().manual_seed(5)

    comb = attack_of("omniseal", "chain_omniseal")
    places = {tuple(comb(picture, torch.Generator().manual_seed(i))[0, :, :8, :8].flatten().tolist()) for i in range(4)}
    assert len(places) == 4
    step = attacks.Chain(80, [attacks.Crop(0.25, truncate=True), attacks.Brightness(1.5), attacks.Jpeg(80)])
    assert torch.equal(comb(picture, seed()), step(picture, seed()))


@pytest.mark.parametrize("suite", ["videoseal", "omniseal", "wibe"])
def test_blurs_are_torchvisions_with_its_own_sigma(picture, suite):
    expected = vision.gaussian_blur(picture, 3)
    inner = (..., slice(2, -2), slice(2, -2))  # they mirror the border, we continue it
    assert (attack_of(suite, "kernel_blur")(picture)[inner] - expected[inner]).abs().amax() < 1e-5


def test_waves_enlarges_its_crops_bilinearly(picture):
    attack = attack_of("waves", "crop_resize")
    kept = attacks.Crop(attack.strength)(picture, torch.Generator().manual_seed(2))
    expected = vision.resize(kept, [187, 251], antialias=True)
    assert (attack(picture, torch.Generator().manual_seed(2)) - expected).abs().amax() < 1e-5


def test_waves_combined_turns_as_its_single_one_does(picture):
    turn, crop, _ = attacks.Combined(0.2, "geometric").steps
    assert (turn.strength, turn.mode, crop.mode) == (9, "nearest", "bilinear")


class TestJpegTrust:
    """The functions of evaluation_metric/package, which compute on -1..1."""

    def test_turns_are_bilinear(self, picture):
        expected = vision.rotate(picture, 15, interpolation=BILINEAR)
        assert equal_share(attack_of("jpeg_trust", "rotation")(picture), expected) > 0.99

    def test_crop_10_takes_a_tenth_off_every_side_and_scales_back(self, photo):
        """Height 190, width 250: where the tenth is whole; elsewhere a side may differ by a pixel."""
        photo = photo[..., :190, :250]
        expected = vision.resize(photo[..., 19:-19, 25:-25], [190, 250], antialias=False)
        assert (attack_of("jpeg_trust", "crop_resize")(photo) - expected).abs().amax() < 1e-5

    def test_scale_half_goes_down_and_up_without_a_filter(self, picture):
        small = vision.resize(picture, [round(187 / 2), round(251 / 2)], interpolation=BILINEAR, antialias=False)
        expected = vision.resize(small, [187, 251], interpolation=BILINEAR, antialias=False)
        assert (attack_of("jpeg_trust", "resize_back")(picture) - expected).abs().amax() < 1e-5

    def test_sharpness_adds_the_difference_to_a_mean_of_nine(self, picture):
        signed = 2 * picture - 1
        expected = (signed + 1.25 * (signed - F.avg_pool2d(signed, 3, 1, 1))).clamp(-1, 1) / 2 + 0.5
        inner = (..., slice(1, -1), slice(1, -1))  # beyond the border they have middle grey
        assert (attack_of("jpeg_trust", "sharpness")(picture)[inner] - expected[inner]).abs().amax() < 1e-5

    def test_speckle_multiplies_the_distance_from_middle_grey(self, picture):
        noise = torch.randn(3, 187, 251, generator=torch.Generator().manual_seed(7))
        signed = 2 * picture - 1
        expected = (signed + signed * noise * 0.3).clamp(-1, 1) / 2 + 0.5
        found = attack_of("jpeg_trust", "speckle_noise")(picture, [torch.Generator().manual_seed(7)])
        assert (found - expected).abs().amax() < 1e-5

    def test_blurring_5_has_a_sigma_of_a_sixth_of_five(self, picture):
        expected = vision.gaussian_blur(picture, [5, 5], [5 / 6, 5 / 6])
        inner = (..., slice(2, -2), slice(2, -2))
        assert (attack_of("jpeg_trust", "kernel_blur")(picture)[inner] - expected[inner]).abs().amax() < 1e-4

    def test_jpeg_2000_is_pillows_without_a_colour_transform(self, picture):
        buffer = io.BytesIO()
        settings = {"quality_mode": "rates", "quality_layers": [10], "irreversible": True}
        to_pillow(picture)[0].save(buffer, "JPEG2000", **settings)
        theirs = from_pillow([Image.open(buffer)], picture)
        found = attack_of("jpeg_trust", "jpeg2000")(picture)
        assert torch.equal(found, theirs)
        errors = [(images - picture).square().mean() for images in (found, attacks.Jpeg2000(10)(picture))]
        assert errors[0] > 1.3 * errors[1]  # 3 to 7 dB on photographs of a usual size
