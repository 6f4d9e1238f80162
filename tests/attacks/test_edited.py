"""An edit says where it edits, and a chain follows that part through whatever comes after."""

import pytest
import torch

import attacks
from attacks.diffusion.fill import GenerativeFill
from attacks.edited import edited, tells

NOISE = torch.rand(2, 3, 96, 128, generator=torch.Generator().manual_seed(0))
EDITS = [attacks.Erase, attacks.Paste, attacks.BlurPart, attacks.Clone, attacks.InpaintTelea, attacks.Inpaint]


def generators(seed=3):
    return [torch.Generator().manual_seed(seed + i) for i in range(len(NOISE))]


@pytest.mark.parametrize("edit", [*EDITS, GenerativeFill])
def test_an_edit_says_which_part_it_replaced(edit):
    told = edited(edit(0.2), NOISE, generators())
    part, around = told.parts()
    changed = (told.images != NOISE).any(1)
    assert not (changed & ~part).any()
    assert changed[part].float().mean() > 0.98  # of noise hardly a px stays as it was
    assert part.float().mean((1, 2)).sub(0.2).abs().max() < 0.02
    assert not around.any()
    assert not torch.equal(part[0], part[1])


@pytest.mark.parametrize(
    "after",
    [attacks.Jpeg(75), attacks.Screenshot(0.8), attacks.Crop(0.7), attacks.Rotation(5), attacks.Reshare(720)],
    ids=lambda attack: type(attack).__name__,
)
def test_what_it_makes_of_the_pictures_is_what_the_chain_makes(after):
    chain = attacks.Chain(0.2, [attacks.Paste, after])
    told = edited(chain, NOISE, generators())
    assert torch.equal(told.images, chain(NOISE, generators()))
    part, around = told.parts()
    assert part.shape == around.shape == told.images[:, 0].shape
    assert not (part & around).any()


def test_a_part_goes_where_its_pixels_go():
    chain = attacks.Chain(0.2, [attacks.Erase, attacks.Crop(0.5), attacks.Rotation(180)])
    bright = NOISE.clamp(min=0.1)
    told = edited(chain, bright, generators())
    assert torch.equal(told.parts()[0], (told.images < 0.05).all(1))


def test_the_draws_of_what_follows_are_those_after_the_edit():
    """A paste draws which photograph it takes, after it has drawn where; the crop must not move for that."""
    chain = attacks.Chain(0.2, [attacks.Paste, attacks.Crop(0.5)])
    told = edited(chain, NOISE, generators())
    plain = [attacks.Paste(0.2).transform(NOISE[i : i + 1], [g]) for i, g in enumerate(generators())]
    moved = (torch.cat(plain) != NOISE).any(1)
    for i, (mask, part) in enumerate(zip(moved, told.parts()[0], strict=True)):
        windows = mask.unfold(0, part.shape[0], 1).unfold(1, part.shape[1], 1)
        assert (windows ^ part).flatten(2).float().mean(2).min() < 0.01, i


def test_pages_and_black_corners_are_none_of_the_picture():
    turned = edited(attacks.Chain(0.2, [attacks.Paste, attacks.Rotation(20)]), NOISE, generators())
    corners = turned.parts()[1]
    assert corners[:, 0, 0].all()
    assert (turned.images[:, :, 0, 0] == 0).all()
    assert not corners[:, 40:56, 50:78].any()
    page = edited(attacks.Chain(0.2, [attacks.Paste, attacks.Screenshot(1, border=0.2)]), NOISE, generators())
    assert page.parts()[1].float().mean((1, 2)).sub(1 - 1 / 1.4**2).abs().max() < 0.03


def test_an_edit_of_nothing_edits_nothing():
    told = edited(attacks.Chain(0.0, [attacks.Paste, attacks.Jpeg(75)]), NOISE, generators())
    assert not told.parts()[0].any()


def test_who_cannot_say_is_not_asked():
    assert tells(attacks.Paste(0.1))
    assert tells(attacks.Chain(0.1, [attacks.Brightness(1.2), attacks.Chain(0.1, [attacks.Clone, attacks.Jpeg(60)])]))
    for attack in (attacks.Jpeg(75), attacks.Stickers(0.1), attacks.Chain(0.1, [attacks.Paste, attacks.Stickers(0.1)])):
        assert not tells(attack)
        with pytest.raises(ValueError, match="expected an attack that edits a part and says which"):
            edited(attack, NOISE, generators())


def test_nothing_of_the_hole_survives_a_generative_fill():
    fill = GenerativeFill(0.2)
    hole = fill.covered(NOISE, generators())
    other = torch.where(hole, 1 - NOISE, NOISE)
    first, second = fill(NOISE, generators()), fill(other, generators())
    assert torch.equal(first, second)
    assert first[hole.expand_as(first)].std() > 0.02  # the model draws something
