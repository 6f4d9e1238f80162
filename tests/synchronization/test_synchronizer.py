import math
from dataclasses import fields

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from watermark.keys import keyed_uniform
from watermark.synchronization import (
    Lines,
    Poses,
    SearchSettings,
    Spectrum,
    Synchronizer,
    follow,
    read_lines,
    spread_to,
    windows,
)
from watermark.synchronization.geometry import dihedral
from watermark.transforms.waves import keyed_frequencies


def keyed_lines(key: int, count: int | None = None, purpose: str = "lines") -> Lines:
    """``count`` keyed lines of the pilot's band, or all of the mark's."""
    band = (0.02, 0.2, 128.0, 0.01) if count is None else (0.05, 0.18, 128.0, 0.02)
    frequencies = keyed_frequencies(key, purpose, *band)
    frequencies = frequencies[:: len(frequencies) // count][:count] if count else frequencies
    return Lines(frequencies, np.exp(2j * math.pi * keyed_uniform(key, f"{purpose} phases", len(frequencies))))


def carrying_a_message(lines: Lines) -> Lines:
    signs = np.random.default_rng(1).integers(0, 2, (2, len(lines))) * 2 - 1
    return Lines(lines.frequencies, lines.symbols * (signs[0] + 1j * signs[1]) / 2**0.5)


@pytest.fixture(scope="module")
def pilot() -> Lines:
    return keyed_lines(7, 96)


@pytest.fixture(scope="module")
def poses() -> Poses:
    return Poses.from_key(7, "poses")


@pytest.fixture(scope="module")
def synchronizer(pilot, poses) -> Synchronizer:
    return Synchronizer(pilot, poses)


def marked_map(lines, matrix, shift, size=(256, 320), seed=0, strength=0.03, noise=1.0):
    """Noise plus the lines seen through ``u = matrix @ x + shift``, x from the middle."""
    height, width = size
    y, x = torch.meshgrid(torch.arange(height) - (height - 1) / 2, torch.arange(width) - (width - 1) / 2, indexing="ij")
    u = torch.stack([x, y], -1).double() @ torch.as_tensor(matrix, dtype=torch.float64).T
    u = u + torch.as_tensor(shift, dtype=torch.float64)
    phase = 2 * math.pi * (u.flatten(0, 1) @ torch.from_numpy(lines.frequencies).T)
    waves = (torch.polar(torch.ones_like(phase), phase) * torch.from_numpy(lines.symbols)).real.sum(1)
    hiss = torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (strength * waves.view(height, width) + noise * hiss).float()[None]


def turn(degrees, scale=1.0):
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, -s], [s, c]]) / scale


def border_error(alignment, matrix, shift, size):
    """How far, in plane px, the found map is from the true one at the corners of the picture."""
    height, width = size
    corners = torch.tensor([[a * width / 2, b * height / 2] for a in (-1, 1) for b in (-1, 1)], dtype=torch.float64)
    found = corners @ alignment.matrix[0].double().T + alignment.shift[0].double()
    true = corners @ torch.as_tensor(matrix, dtype=torch.float64).T + torch.as_tensor(shift, dtype=torch.float64)
    return float((found - true).norm(dim=1).max())


GEOMETRIES = {
    "untouched": turn(0),
    "quarter turn": turn(90),
    "mirrored": np.diag([-1.0, 1.0]),
    "small rotation": turn(1.0),
    "rotated": turn(38),
    "rotated and enlarged": turn(-17, 1.6),
    "reduced": turn(0, 0.55),
    "enlarged": turn(0, 3.6),
    "mirrored and rotated": np.diag([1.0, -1.0]) @ turn(25),
    "stretched": np.diag([1 / 1.3, 1 / 0.95]),
    "stretched and turned a quarter": turn(90) @ np.diag([1 / 0.9, 1 / 1.2]),
    "sheared along x": np.array([[1, -0.5], [0, 1]]),
    "sheared along y": np.array([[1, 0], [0.4, 1]]),
    "reduced, sheared and turned a quarter": turn(90) @ np.array([[1, 0.3], [0, 1]]) / 0.7,
    "mirrored, sheared along y and enlarged": np.diag([-1.0, 1.0]) @ np.array([[1, 0], [-0.25, 1]]) / 1.4,
}


@pytest.mark.parametrize("shift", [(41.3, -17.8), (-302.7, 233.1)], ids=["near", "far"])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_mark_is_found_to_a_fraction_of_a_pixel(pilot, synchronizer, name, shift):
    matrix, size = GEOMETRIES[name], (256, 320)
    spectrum = Spectrum(marked_map(pilot, matrix, shift, size))
    found = synchronizer(spectrum)
    assert found.score.item() > 12
    assert border_error(found, matrix, shift, size) < 0.6


@pytest.mark.parametrize("turned", range(8))
@pytest.mark.parametrize("upside_down", [1, -1])
def test_every_pose_is_found_by_look_ups_alone(pilot, poses, synchronizer, turned, upside_down):
    number = 8 * turned + 3
    matrix, shift = dihedral()[turned] / (1.25 * poses.scales[number]), poses.shifts[number, turned]
    found = synchronizer.fast(Spectrum(upside_down * marked_map(pilot, matrix, shift, (257, 320))), (0.8, 1.25)).best()
    assert found.score.item() > 12
    assert border_error(found, matrix, shift, (257, 320)) < 0.6


def test_a_loud_mark_beside_its_pose_is_not_believed_where_it_adds_up_by_chance(pilot, poses, synchronizer):
    size = (181, 272)
    for number in range(20):
        matrix, moved = dihedral()[0] / poses.scales[number], np.array([6 + number % 7, 14 - number % 5])
        shift = poses.shifts[number, 3] + moved
        spectrum = Spectrum(marked_map(pilot, matrix, shift, size, number, 0.12))
        found = synchronizer.fast(spectrum, (1.0,)).best()
        truth = torch.as_tensor(matrix)[None, None].float(), torch.as_tensor(shift)[None, None].float()
        assert found.score < synchronizer.accept or found.score > 0.8 * synchronizer.score(spectrum, *truth)


def test_a_crop_needs_no_search_of_geometries(pilot, poses, synchronizer):
    matrix, shift = dihedral()[5] / poses.scales[40], (155.0, -298.0)
    spectrum = Spectrum(marked_map(pilot, matrix, shift))
    assert synchronizer.fast(spectrum, (1.0,)).best().score.item() < synchronizer.accept  # nothing near is believed
    found = synchronizer.shifted(spectrum, 1.0).best()
    assert found.score.item() > 12
    assert border_error(found, matrix, shift, (256, 320)) < 0.6


@pytest.mark.parametrize("name", ["mirrored", "rotated and enlarged", "stretched"])
def test_a_message_without_a_pilot_aligns_itself(pilot, poses, name):
    matrix, shift, size = GEOMETRIES[name], (41.3, -217.8), (320, 400)
    lines = keyed_lines(9)
    unpiloted = Synchronizer(pilot, poses, lines, data_power=0.3)
    maps = torch.cat([marked_map(carrying_a_message(lines), matrix, shift, size), torch.randn(1, *size)])
    found = unpiloted.search_unaided(Spectrum(maps))
    assert found.best().score.max() < 12  # no pilot, so no certainty
    asked = found.score <= 0
    assert asked.sum(1).tolist() == [2, 2]
    assert found.score[1, asked[1]].isinf().all()  # noise is not asked
    assert found.score[0, asked[0]].isfinite().any()
    last = found.columns(asked[0])
    errors = [border_error(last.columns(torch.tensor([c])).best(), matrix, shift, size) for c in (0, 1)]
    assert min(errors) < 0.6


def test_noise_alone_scores_low(synchronizer):
    noise = torch.randn(4, 200, 240, generator=torch.Generator().manual_seed(1))
    found = synchronizer(Spectrum(noise))
    assert found.score.max() < 8


def test_a_pilot_of_another_key_is_not_found(pilot, poses):
    other = Synchronizer(keyed_lines(8, 96), poses)
    found = other(Spectrum(marked_map(pilot, turn(0), (3.0, 5.0), strength=0.05)))
    assert found.score.item() < 8


def test_a_batch_gives_what_each_picture_gives_alone(pilot, synchronizer):
    maps = torch.cat([marked_map(pilot, turn(degrees), (9.0, 4.0), seed=degrees) for degrees in (0, 30)])
    together = synchronizer(Spectrum(maps))
    alone = [synchronizer(Spectrum(one[None])) for one in maps]
    for index, single in enumerate(alone):
        torch.testing.assert_close(together.matrix[index], single.matrix[0], atol=1e-3, rtol=0)


def test_lines_are_read_as_they_were_embedded(pilot, synchronizer):
    more = carrying_a_message(keyed_lines(3, 5, purpose="more"))
    matrix, shift = turn(12), (10.0, 20.0)
    picture = marked_map(pilot, matrix, shift, noise=0.3) + marked_map(more, matrix, shift, noise=0)
    spectrum = Spectrum(picture)
    read = read_lines(spectrum, synchronizer(spectrum), torch.from_numpy(more.frequencies))
    assert torch.angle(read * torch.from_numpy(more.symbols).conj()).abs().max() < 0.5


def test_the_spectrum_agrees_with_the_plain_fourier_sum():
    maps = torch.randn(2, 60, 82, generator=torch.Generator().manual_seed(0))
    spectrum = Spectrum(maps)
    frequencies = torch.tensor([[[0.11, 0.07], [-0.2, 0.13], [0.003, -0.3], [0.25, 0.0]]]).expand(2, -1, -1)
    y, x = torch.meshgrid(torch.arange(60) - 29.5, torch.arange(82) - 40.5, indexing="ij")
    angle = 2 * math.pi * (frequencies[..., 0, None, None] * x + frequencies[..., 1, None, None] * y)
    exact = (maps[:, None] * torch.polar(torch.ones_like(angle), -angle)).sum((-2, -1))
    ratio = spectrum.at(frequencies) / exact  # the local RMS, positive and alike everywhere in noise
    assert ratio.imag.abs().max() < 0.15 * ratio.real.mean()
    assert ratio.real.std() < 0.2 * ratio.real.mean()


def test_a_bent_lattice_is_followed_window_by_window(pilot, synchronizer):
    straight = marked_map(pilot, turn(0), (0.0, 0.0), (320, 320), strength=0.02)
    grid = F.affine_grid(torch.eye(2, 3)[None], [1, 1, 320, 320], align_corners=False)
    bent = grid + 0.02 * torch.stack([torch.sin(3 * grid[..., 1]), torch.sin(3 * grid[..., 0])], -1)
    picture = F.grid_sample(straight[:, None], bent, align_corners=False)[:, 0]
    whole = synchronizer(Spectrum(picture))
    cut, centres = windows(picture)
    local = follow(
        synchronizer.loudness, Spectrum(cut[0]), spread_to(whole, centres), synchronizer.settings.window_climb
    )
    assert local.score.square().sum().sqrt() > 1.3 * whole.score.item()


def test_every_setting_says_how_it_was_set():
    assert [one.name for one in fields(SearchSettings) if f" {one.name}: " not in SearchSettings.__doc__] == []
