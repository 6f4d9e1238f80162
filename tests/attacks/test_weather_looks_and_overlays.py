"""Weather, looks, rubber and what is laid over or beside a picture: what each does, by value."""

import math

import pytest
import torch

import attacks
from attacks.functional import color

BLACK, WHITE = torch.zeros(1, 3, 340, 400), torch.ones(1, 3, 340, 400)


def seeded(number: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(number)


@pytest.mark.parametrize("amount", [0.5, 3])
def test_fog_takes_contrast_away_by_one_plus_its_amount_and_lays_one_cloud_over_all(photo, amount):
    foggy, other = (attacks.Fog(amount)(images, seeded()) for images in (photo, photo.flip(-1)))
    assert torch.allclose(foggy - other, (photo - photo.flip(-1)) / (1 + amount), atol=1e-6)
    cloud = (foggy * (1 + amount) - photo) / amount
    assert (cloud - cloud[:, :1]).abs().amax() < 1e-5  # grey
    assert cloud.amin() == pytest.approx(0, abs=1e-5)
    assert cloud.amax() == pytest.approx(1, abs=1e-5)


def test_a_fog_is_smooth_and_the_same_at_any_size():
    small, large = (attacks.Fog(5)(torch.zeros(1, 3, n, n), seeded())[0, 0] for n in (129, 257))
    assert (large[::2, ::2] - small).abs().amax() < 0.02
    assert (large[1:] - large[:-1]).abs().mean() < 0.2 * large.std()


def test_snow_only_lightens_and_covers_what_it_says(photo):
    assert (attacks.Snow(0.3)(photo, seeded()) >= photo - 1e-6).all()
    assert torch.equal(attacks.Snow(0.3)(WHITE, seeded()), WHITE)
    for area in (0.05, 0.2):
        assert 0.8 * area < attacks.Snow(area)(BLACK, seeded()).mean() < 1.05 * area


def test_snow_falls_within_thirty_degrees_of_straight_down():
    flakes = attacks.Snow(0.1)(BLACK.expand(4, -1, -1, -1).contiguous(), seeded())[:, 0]
    down, across = ((flakes - flakes.roll(4, axis)).square().mean() for axis in (1, 2))
    assert down < 0.8 * across  # alike along the fall


@pytest.mark.parametrize("reach", [0.002, 0.01])
def test_elastic_moves_pixels_by_its_reach_and_smoothly(reach):
    """In a picture of its own positions one reads off how far each pixel was looked up."""
    x, y = torch.linspace(0, 1, 500), torch.linspace(0, 1, 400)
    where = torch.stack([x.expand(400, 500), y[:, None].expand(400, 500), torch.zeros(400, 500)])[None]
    moved = (attacks.Elastic(reach)(where, seeded()) - where)[0, :2, 20:-20, 20:-20]
    moved = moved * torch.tensor([499.0, 399]).view(2, 1, 1)  # pixels
    assert moved.square().mean().sqrt() == pytest.approx(reach * 400, rel=0.1)
    slope = (moved[:, 1:] - moved[:, :-1]).square().mean().sqrt() / moved.square().mean().sqrt()
    assert slope == pytest.approx(1 / (math.sqrt(2) * 0.02 * 400), rel=0.15)  # of noise under a Gaussian of 8 px


def test_looks_do_what_their_recipe_says(photo):
    noir = attacks.Look(1, "noir")(photo)
    assert (noir - noir[:, :1]).abs().amax() < 1e-5
    grey = (0.5 + 1.4 * (color.luma(photo) - 0.5)).clamp(0, 1)[..., 95:97, 127:129]
    assert torch.allclose(noir[:, :1, 95:97, 127:129], grey, atol=1e-3)  # in the middle there is no vignette
    white = attacks.Look(1, "warm")(WHITE)[0]
    assert torch.allclose(white[:, 170, 200], torch.tensor([1, 0.95, 0.82]), atol=1e-3)
    assert torch.allclose(white[:, 0, 0], 0.75 * torch.tensor([1, 0.95, 0.82]), atol=1e-3)
    faded = torch.tensor([0.14 + 0.82 * 0.075, 0.12 + 0.83 * 0.075, 0.18 + 0.70 * 0.075])
    assert torch.allclose(attacks.Look(1, "faded")(BLACK)[0, :, 0, 0], faded, atol=1e-6)


def test_half_a_look_is_half_way(photo):
    half, whole = (attacks.Look(amount, "warm")(photo) for amount in (0.5, 1))
    assert torch.allclose(half, (photo + whole) / 2, atol=1e-6)


def test_a_meme_is_the_picture_with_black_on_white_above(photos):
    meme = attacks.Meme(0.25)(photos, seeded())
    bar, below = meme[..., :18, :], meme[..., 18:, :]
    assert torch.equal(below, photos)
    assert torch.equal(bar, bar[:, :1].expand_as(bar))
    assert 0.02 < (bar < 0.5).float().mean() < 0.3
    assert (bar == 1).float().mean() > 0.5


@pytest.mark.parametrize("area", [0.1, 0.5])
def test_stripes_cover_their_area_in_one_colour_and_nothing_else(area):
    photo = torch.rand(1, 3, 340, 400, generator=seeded(1))
    striped = attacks.Stripes(area)(photo, seeded())
    changed = (striped != photo).any(1)[0]
    assert changed.float().mean() == pytest.approx(area, abs=0.02)
    assert len(striped[0][:, changed].T.unique(dim=0)) == 1
    along_rows, along_columns = ((changed != changed.roll(1, axis)).sum(axis).float().mean() for axis in (1, 0))
    edges = math.hypot(along_rows / 400, along_columns / 340) * 340
    assert edges == pytest.approx(16, rel=0.15)  # eight to the shorter side, two edges each


def test_a_caption_is_red_starts_half_way_down_and_grows_with_its_letters():
    sizes = []
    for letter in (0.1, 0.15):
        red = attacks.Caption(letter)(BLACK)[0]
        assert not red[1:].any()
        rows, columns = red[0].any(1).nonzero(), red[0].any(0).nonzero()
        assert rows.min() >= 170
        assert columns.min() < 10
        sizes.append(columns.max() - columns.min())
    assert sizes[1] / sizes[0] == pytest.approx(1.5, rel=0.05)
