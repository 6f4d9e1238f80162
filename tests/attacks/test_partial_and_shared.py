"""Partial edits keep what they say they keep; shared pictures shrink as they say."""

import pytest
import torch

import attacks
from attacks.partial import ellipses


@pytest.mark.parametrize("area", [0.5, 0.1, 0.05])
def test_splice_keeps_the_stated_share_and_paste_covers_it(photos, area):
    kept = (attacks.Splice(area)(photos) == photos).all(1).float().mean((1, 2))
    lost = (attacks.Paste(area)(photos) != photos).any(1).float().mean((1, 2))
    assert torch.allclose(kept, torch.tensor(area), atol=0.03)
    assert torch.allclose(lost, torch.tensor(area), atol=0.03)


def test_splice_into_a_fill_leaves_nothing_else(photos):
    bright = photos.clamp(min=0.1)
    cut = attacks.Splice(0.3, fill=0.0)(bright)
    kept = (cut == bright).all(1)
    assert (kept | (cut == 0).all(1)).all()
    assert torch.allclose(kept.float().mean((1, 2)), torch.tensor(0.3), atol=0.03)


def test_collage_holds_the_shrunken_picture(photos):
    attacked = attacks.Collage(0.25)(photos[:1])
    small = attacks.Resize(0.5)(photos[:1])
    windows = attacked.unfold(2, 36, 1).unfold(3, 48, 1)
    assert (windows - small[:, :, None, None]).abs().amax((1, 4, 5)).amin() < 1e-6


@pytest.mark.parametrize("attack", [attacks.OverlayText(0.2), attacks.Stickers(0.15), attacks.Inpaint(0.15)])
def test_edits_leave_the_rest_untouched(photo, attack):
    changed = (attack(photo) != photo).any(1).float().mean()
    assert 0.02 < changed < 0.25


def test_inpainting_looks_like_its_surroundings():
    smooth = torch.linspace(0.2, 0.8, 128).expand(1, 3, 96, 128).contiguous()
    filled = attacks.Inpaint(0.1)(smooth)
    assert (filled - smooth).abs().mean() < 0.03
    assert (filled != smooth).any()


def test_ellipses_have_the_stated_area(photo):
    mask = ellipses(photo.expand(8, -1, -1, -1), 0.1, [torch.Generator().manual_seed(i) for i in range(8)])
    assert mask.float().mean((1, 2, 3)).sub(0.1).abs().max() < 0.01


def test_sharing_shrinks_to_the_limit_and_never_enlarges():
    large = torch.rand(1, 3, 300, 900, generator=torch.Generator().manual_seed(1))
    assert attacks.Reshare(720)(large).shape == (1, 3, 240, 720)
    assert attacks.Reshare(720, hops=2)(large).shape == (1, 3, 216, 648)
    assert attacks.Reshare(2048)(large).shape == large.shape


def test_more_hops_cost_more(photo):
    errors = [float((attacks.Reshare(2048, hops)(photo) - photo).square().mean()) for hops in (1, 2, 3)]
    assert errors == sorted(errors)


def test_chain_hands_its_strength_to_the_step_that_waits(photo):
    chain = attacks.Chain(40, [attacks.Jpeg, attacks.Brightness(0.5)])
    expected = attacks.Brightness(0.5)(attacks.Jpeg(40)(photo))
    assert torch.equal(chain(photo), expected)


def test_chain_is_what_its_steps_are():
    assert not attacks.Chain(0, [attacks.Brightness(0.5), attacks.Jpeg(50)]).geometric
    assert attacks.Chain(0, [attacks.Brightness(0.5), attacks.Crop(0.5)]).geometric
    assert attacks.Chain(0, [attacks.Brightness(0.5), attacks.SoftJpeg(50)]).differentiable
    assert not attacks.Chain(0, [attacks.Brightness(0.5), attacks.Jpeg(50)]).differentiable


def test_a_chain_is_another_version_when_one_of_its_steps_is(monkeypatch):
    """Rows carry the version: those of a changed recipe must not be taken for those of the old one."""
    monkeypatch.setattr(attacks.Brightness, "version", 1)
    monkeypatch.setattr(attacks.Jpeg, "version", 1)
    versions = [attacks.Chain(40, [attacks.Jpeg, attacks.Brightness(0.5)]).version]
    monkeypatch.setattr(attacks.Brightness, "version", 2)
    versions.append(attacks.Chain(40, [attacks.Jpeg, attacks.Brightness(0.5)]).version)
    monkeypatch.setattr(attacks.Jpeg, "version", 3)
    versions.append(attacks.Chain(40, [attacks.Jpeg, attacks.Brightness(0.5)]).version)
    versions.append(attacks.Chain(40, [attacks.Jpeg, attacks.Brightness(0.5)], version=2).version)
    assert versions == [1, 2, 4, 5]


def test_waves_relative_strength_maps_linearly():
    steps = attacks.Combined(0.2, "all").steps
    strengths = [step.strength for step in steps]
    assert strengths == pytest.approx([9, 0.9, 0.05, 1.2, 1.2, 4, 0.02, 74])


def test_print_scan_shows_paper_and_ink():
    ramp = torch.linspace(0, 1, 128).expand(1, 3, 96, 128).contiguous()
    printed = attacks.PrintScan(300)(ramp)[..., 10:-10, 10:-10]
    assert printed[..., -4:].mean() < 0.97  # no paper is white
    assert printed[..., :4].mean() > 0.03  # no ink is black
    columns = printed.mean((0, 1, 2))
    assert (columns[10:] - columns[:-10] > 0).all()


def test_screen_camera_levels_are_ordered(photo):
    errors = [float((attacks.ScreenCamera(level)(photo) - photo).square().mean()) for level in (1, 3, 5)]
    assert errors == sorted(errors)
