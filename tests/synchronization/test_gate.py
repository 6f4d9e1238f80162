"""What lets a quick search go on, and what does not."""

from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import maximum_filter

from tests.synchronization.test_synchronizer import keyed_lines, marked_map, turn
from watermark.synchronization import Poses, Spectrum, Synchronizer, gate, promising
from watermark.synchronization.coarse import BLOCK, _of_blocks, _peaks

NOTHING_AT_POSES = torch.zeros(1)
MATRIX, SHIFT = turn(23, 0.8), (140.0, -75.0)


@pytest.fixture(scope="module")
def synchronizer() -> Synchronizer:
    return Synchronizer(keyed_lines(7, 96), Poses.from_key(7, "poses"))


@cache
def plane(strength: float, seed: int) -> Spectrum:
    return Spectrum(marked_map(keyed_lines(7, 96), MATRIX, SHIFT, (160, 200), seed, strength))


def test_small_maps_are_asked_at_more_cells_in_both_planes(synchronizer, monkeypatch):
    asked = []
    some = gate._somewhere
    monkeypatch.setattr(gate, "_somewhere", lambda sync, seen, cells: (asked.append(cells), some(sync, seen, cells))[1])
    settings = synchronizer.settings
    assert not promising(synchronizer, plane(0, 0), plane(0, 50), NOTHING_AT_POSES)
    in_colour, in_luma = settings.hopeful_small
    assert asked == [in_colour, in_luma, in_luma]  # luma flattened, and as it is
    assert in_colour > settings.hopeful_in_colour
    assert in_luma > settings.hopeful_in_luma


def test_noise_is_left(synchronizer):
    for seed in range(3):
        assert not promising(synchronizer, plane(0, seed), plane(0, seed + 50), NOTHING_AT_POSES)


def test_a_mark_in_one_plane_is_enough_whichever_it_is(synchronizer):
    assert promising(synchronizer, plane(0.04, 1), plane(0, 2), NOTHING_AT_POSES)
    assert promising(synchronizer, plane(0, 2), plane(0.04, 1), NOTHING_AT_POSES)


def test_a_pose_is_enough_and_each_picture_of_a_batch_is_told_on_its_own(synchronizer):
    luma = Spectrum.joined([plane(0, 3), plane(0.04, 1), plane(0, 4)])
    colour = Spectrum.joined([plane(0, 5)] * 3)
    assert promising(synchronizer, luma, colour, torch.tensor([0.0, 0.0, 9.0])).tolist() == [False, True, True]


@pytest.mark.parametrize("matrix", [[[1, 0.5], [0, 1]], [[1, 0], [-0.5, 1]]])
def test_a_shear_is_seen_in_either_plane(synchronizer, matrix):
    sheared = Spectrum(marked_map(keyed_lines(7, 96), np.array(matrix), SHIFT, (160, 200), 8, 0.035))
    assert promising(synchronizer, sheared, plane(0, 9), NOTHING_AT_POSES)
    assert promising(synchronizer, plane(0, 9), sheared, NOTHING_AT_POSES)


def test_a_flattened_spectrum_is_nearer_to_even_where_the_picture_is_steep():
    noise = torch.fft.rfft2(torch.randn(1, 256, 320, generator=torch.Generator().manual_seed(0)))
    radius = (torch.fft.fftfreq(256)[:, None].square() + torch.fft.rfftfreq(320).square()).sqrt()
    steep = Spectrum(torch.fft.irfft2(noise / (radius + 0.01) ** 1.5, s=(256, 320)))
    x, y = torch.meshgrid(torch.linspace(0.01, 0.25, 241), torch.linspace(-0.25, 0.25, 501), indexing="xy")
    plain, flat = (one.power(torch.stack([x, y], -1)) for one in (steep, steep.flattened()))
    least = [F.avg_pool2d(power, 25, 5).min().item() for power in (plain, flat)]
    assert least[0] < 0.3 < 0.4 < least[1]


def test_all_spectra_are_no_copy_and_others_are_those_asked_for():
    both = Spectrum.joined([plane(0, 3), plane(0.04, 1)])
    assert both.select(torch.tensor([True, True])) is both is both.select(torch.tensor([0, 1]))
    place = torch.tensor([[[0.1, 0.2]], [[0.1, 0.2]]])
    assert torch.equal(both.select(torch.tensor([1, 0])).at(place), both.at(place).flip(0))
    assert torch.equal(both.select(torch.tensor([False, True])).at(place[1:]), both.at(place)[1:])


def test_power_is_the_same_at_negative_frequencies_and_none_beyond_nyquist():
    spectrum = plane(0, 6)
    places = torch.tensor([[[0.1, 0.2], [-0.1, -0.2], [0.3, -0.1], [0.495, 0.0], [0.1, -0.6]]])
    power = spectrum.power(places)[0, 0]
    assert power[0] == power[1] > 0 < power[2]
    assert power[3] == power[4] == 0


def test_peaks_are_the_largest_of_their_neighbourhood_and_blocks_keep_one_each():
    scores = torch.randn(1, 2, 41, 53, generator=torch.Generator().manual_seed(0))
    expected = [one == maximum_filter(one, BLOCK, mode="constant", cval=-np.inf) for one in scores[0].numpy()]
    expected = np.sort(scores[0].numpy()[np.stack(expected)])[::-1]
    values, (plane_of, row, column) = _peaks(scores, 9)
    assert np.array_equal(values[0], expected[:9])
    assert torch.equal(scores[0, plane_of[0], row[0], column[0]], values[0])
    values, (plane_of, row, column) = _of_blocks(scores, 9)
    assert values[0, 0] == scores.max()
    assert torch.equal(scores[0, plane_of[0], row[0], column[0]], values[0])
    assert (
        len(set(zip(plane_of[0].tolist(), (row[0] // BLOCK).tolist(), (column[0] // BLOCK).tolist(), strict=True))) == 9
    )
