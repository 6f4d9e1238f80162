import pytest
import torch
from skimage import data

import attacks

PHOTO = torch.from_numpy(data.coffee()[:240:2, :360:2].copy()).permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize("edit", [attacks.BlurPart, attacks.Clone, attacks.InpaintTelea])
@pytest.mark.parametrize("area", [0.1, 0.3])
def test_so_much_is_edited_and_nothing_else_is_touched(edit, area):
    changed = (edit(area)(PHOTO, torch.Generator().manual_seed(3)) != PHOTO).any(1)[0]
    rows, columns = changed.any(1).nonzero()[:, 0], changed.any(0).nonzero()[:, 0]
    box = int((rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1))
    assert abs(box / changed.numel() - area) < 0.02
    assert changed.sum() > 0.8 * box  # a smooth place may stay as it is


def test_a_clone_is_another_place_of_the_picture_and_a_filling_has_no_texture():
    seed = torch.Generator().manual_seed(3)
    cloned, filled = (edit(0.2)(PHOTO, seed.manual_seed(3)) for edit in (attacks.Clone, attacks.InpaintTelea))
    inside = (filled != PHOTO).any(1)[0]
    colours = {tuple(colour) for colour in (PHOTO[0] * 255).round().int().flatten(1).T.tolist()}
    assert all(tuple(colour) in colours for colour in (cloned[0][:, inside] * 255).round().int().T.tolist())
    assert fine(filled)[..., inside[1:, 1:]].mean() < 0.5 * fine(PHOTO)[..., inside[1:, 1:]].mean()


def fine(images):
    """How much neighbours differ."""
    return (images[..., 1:, 1:] - images[..., :-1, 1:]).abs() + (images[..., 1:, 1:] - images[..., 1:, :-1]).abs()
