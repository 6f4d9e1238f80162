import numpy as np
import pytest
import torch

from watermark.transforms.waves import APART, Canvas, keyed_frequencies, wave_count

BAND = (0.02, 0.2, 128.0, 0.002)


def drawn_by(key):
    return keyed_frequencies(key, "lines", *BAND)


def test_frequencies_fill_their_band_and_keep_apart():
    found = drawn_by(1)
    radius = np.hypot(*found.T)
    assert len(found) == wave_count(*BAND)
    assert radius.min() >= 0.02
    assert radius.max() <= 0.2
    assert np.abs(found).min() >= 0.002
    assert (found[:, 0] > 0).all()
    both = np.concatenate([found, -found])
    distance = np.hypot(*(found[:, None] - both).transpose(2, 0, 1))
    distance[np.arange(len(found)), np.arange(len(found))] = 1
    assert distance.min() >= APART / 128


def test_another_key_draws_other_frequencies():
    distance = np.hypot(*(drawn_by(1)[:, None] - drawn_by(2)).transpose(2, 0, 1)).min(1)
    assert np.median(distance) > 0.25 / 128  # no nearer than chance


def test_a_mark_of_such_waves_repeats_nowhere():
    """The autocorrelation of a sum of waves of one height: one at no shift, and nowhere else."""
    found = drawn_by(3)
    shifts = np.stack(np.meshgrid(np.arange(0, 400, 4), np.arange(-400, 400, 4)), -1).reshape(-1, 2)
    shifts = shifts[np.hypot(*shifts.T) > 16]
    correlation = np.cos(2 * np.pi * shifts @ found.T).mean(1)
    assert np.abs(correlation).max() < 0.2
    grid = np.round(found * 128) / 128  # what a lattice of the same density does
    assert np.cos(2 * np.pi * np.array([128, 0]) @ grid.T).mean() > 0.99


def test_a_band_without_room_is_refused():
    with pytest.raises(ValueError, match="no room"):
        keyed_frequencies(1, "lines", 0.1, 0.1000001, 128.0, 0.0)


def test_waves_are_drawn_as_defined_and_those_beyond_nyquist_left_blank():
    generator = torch.Generator().manual_seed(0)
    frequencies = (torch.rand(1, 20, 2, generator=generator, dtype=torch.float64) - 0.5) * 0.9
    frequencies[0, 0] = torch.tensor([0.6, 0.1])
    symbols = torch.randn(1, 2, 20, dtype=torch.complex128, generator=generator)
    drawn = Canvas(frequencies, (9, 14)).draw(symbols)
    assert drawn.shape == (1, 2, 9, 14)
    x = torch.tensor([7 - 6.5, 4 - 4.0], dtype=torch.float64)  # column 7, row 4, from the middle
    waves = symbols[0, :, 1:] * torch.exp(2j * torch.pi * (frequencies[0, 1:] @ x))
    torch.testing.assert_close(drawn[0, :, 4, 7], waves.real.sum(-1))
