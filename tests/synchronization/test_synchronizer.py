import math
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from watermark.synchronization import Pilot, Spectrum, Synchronizer, follow, read_lines, spread_to, windows
from watermark.transforms.lattice import lattice_lines, synthesize


@pytest.fixture(scope="module")
def pilot() -> Pilot:
    return Pilot.from_key(7, count=96)


@pytest.fixture(scope="module")
def synchronizer(pilot) -> Synchronizer:
    return Synchronizer(pilot)


def marked_map(pilot, matrix, shift, size=(256, 320), seed=0, strength=0.03, noise=1.0):
    """Noise plus the pilot seen through ``u = matrix @ x + shift``, x from the centre pixel."""
    height, width = size
    y, x = torch.meshgrid(torch.arange(height) - height // 2, torch.arange(width) - width // 2, indexing="ij")
    u = torch.stack([x, y], -1).double() @ torch.as_tensor(matrix, dtype=torch.float64).T
    u = u + torch.as_tensor(shift, dtype=torch.float64)
    lines, symbols = torch.from_numpy(pilot.lines).double(), torch.from_numpy(pilot.symbols)
    phase = 2 * math.pi / pilot.tile * (u.flatten(0, 1) @ lines.T)
    waves = (torch.polar(torch.ones_like(phase), phase) * symbols).real.sum(1).view(height, width)
    hiss = torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (strength * waves + noise * hiss).float()[None]


def turn(degrees, scale=1.0):
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, -s], [s, c]]) / scale


def border_error(alignment, matrix, shift, size, tile=128):
    """How far, in lattice px, the found map is from the true one at the corners of the picture."""
    height, width = size
    corners = torch.tensor([[a * width / 2, b * height / 2] for a in (-1, 1) for b in (-1, 1)], dtype=torch.float64)
    found = corners @ alignment.matrix[0].double().T + alignment.shift[0].double()
    true = corners @ torch.as_tensor(matrix, dtype=torch.float64).T + torch.as_tensor(shift, dtype=torch.float64)
    gap = (found - true + tile / 2) % tile - tile / 2
    return float(gap.norm(dim=1).max())


GEOMETRIES = {
    "untouched": turn(0),
    "quarter turn": turn(90),
    "mirrored": np.diag([-1.0, 1.0]),
    "small rotation": turn(1.0),
    "rotated": turn(38),
    "rotated and enlarged": turn(-17, 1.6),
    "reduced": turn(0, 0.55),
    "mirrored and rotated": np.diag([1.0, -1.0]) @ turn(25),
    "stretched": np.diag([1 / 1.3, 1 / 0.95]),
    "stretched and turned a quarter": turn(90) @ np.diag([1 / 0.9, 1 / 1.2]),
}


@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_lattice_is_found_to_a_fraction_of_a_pixel(pilot, synchronizer, name):
    matrix, shift, size = GEOMETRIES[name], (41.3, -17.8), (256, 320)
    spectrum = Spectrum(marked_map(pilot, matrix, shift, size))
    found = synchronizer(spectrum)
    assert found.score.item() > 12
    assert border_error(found, matrix, shift, size) < 0.6


@pytest.mark.parametrize("name", ["untouched", "mirrored", "rotated", "rotated and enlarged", "stretched"])
def test_a_message_without_a_pilot_aligns_itself(pilot, name):
    matrix, shift, size = GEOMETRIES[name], (41.3, -17.8), (320, 400)
    lines = lattice_lines(128, 0.03, 0.2, off_axis=2)
    signs = np.random.default_rng(1).integers(0, 2, (2, len(lines))) * 2 - 1
    message = Pilot(lines, (signs[0] + 1j * signs[1]) / 2**0.5, 128)
    unpiloted = Synchronizer(pilot, data_lines=lines, data_power=0.3)
    maps = torch.cat([marked_map(message, matrix, shift, size), torch.randn(1, *size)])
    spectrum = Spectrum(maps)
    search = partial(unpiloted.search_unaided, likely_scales=(1.0,))
    found, doubtful, candidates = unpiloted.deepen(unpiloted.fast(spectrum, (1.0,)), ((spectrum, search),))
    assert doubtful.tolist() == [0, 1]  # no pilot, so no certainty
    assert found.score.max() < 12
    asked = candidates.score.isfinite()
    assert (asked[0] & ~asked[1]).sum() == 128  # noise is not asked
    errors = [
        border_error(candidates.columns(torch.tensor([c])).select([0]).best(), matrix, shift, size)
        for c in range(candidates.score.shape[1])
    ]
    assert min(errors) < 0.6


@pytest.mark.parametrize(("aside", "believed"), [((0.0, 0.0), True), ((11.0, 5.0), False)])
def test_a_pilot_is_not_believed_against_the_message(pilot, aside, believed):
    """Who subtracts an estimate of the pilot leaves what adds up elsewhere, plainer than many a true pilot."""
    shift, size = np.array([41.3, -17.8]), (320, 400)
    taken = set(map(tuple, pilot.lines.tolist()))
    lines = np.array([line for line in lattice_lines(128, 0.03, 0.2, off_axis=2).tolist() if tuple(line) not in taken])
    signs = np.random.default_rng(1).integers(0, 2, (2, len(lines))) * 2 - 1
    message = Pilot(lines, (signs[0] + 1j * signs[1]) / 2**0.5, 128)
    maps = marked_map(message, turn(0), shift, size) + marked_map(pilot, turn(0), shift + aside, size)
    found = Synchronizer(pilot, data_lines=lines, data_power=0.3)(Spectrum(maps))
    assert Synchronizer(pilot)(Spectrum(maps)).score.item() > 12  # for a pilot that is asked alone, all is well
    assert (found.score.item() >= 12) == believed


def test_noise_alone_scores_low(synchronizer):
    noise = torch.randn(4, 200, 240, generator=torch.Generator().manual_seed(1))
    found = synchronizer(Spectrum(noise))
    assert found.score.max() < 8


def test_a_pilot_of_another_key_is_not_found(pilot):
    other = Synchronizer(Pilot.from_key(8, count=96))
    found = other(Spectrum(marked_map(pilot, turn(0), (3.0, 5.0), strength=0.05)))
    assert found.score.item() < 8


def test_a_batch_gives_what_each_picture_gives_alone(pilot, synchronizer):
    maps = torch.cat([marked_map(pilot, turn(degrees), (9.0, 4.0), seed=degrees) for degrees in (0, 30)])
    together = synchronizer(Spectrum(maps))
    alone = [synchronizer(Spectrum(one[None])) for one in maps]
    for index, single in enumerate(alone):
        torch.testing.assert_close(together.matrix[index], single.matrix[0], atol=1e-3, rtol=0)


def test_lines_are_read_as_they_were_embedded(pilot, synchronizer):
    generator = torch.Generator().manual_seed(3)
    lines = torch.tensor([[5, 9], [12, -7], [3, 18], [0, 11], [20, 4]])
    symbols = torch.polar(torch.ones(1, 5), 6.28 * torch.rand(1, 5, generator=generator))
    wave = synthesize(lines, symbols, 128, (256, 256), 1.0, torch.tensor([[10.0, 20.0]]))
    hiss = torch.randn(1, 256, 256, generator=generator)
    picture = marked_map(pilot, turn(0), (10.0 + 128.5, 20.0 + 128.5), (256, 256), noise=0) + 0.03 * wave + 0.5 * hiss
    spectrum = Spectrum(picture)
    read = read_lines(spectrum, synchronizer(spectrum), lines, 128)
    assert torch.angle(read * symbols.conj()).abs().max() < 0.5


def test_the_spectrum_agrees_with_the_plain_fourier_sum():
    maps = torch.randn(2, 60, 82, generator=torch.Generator().manual_seed(0))
    spectrum = Spectrum(maps)
    frequencies = torch.tensor([[[0.11, 0.07], [-0.2, 0.13], [0.003, -0.3], [0.25, 0.0]]]).expand(2, -1, -1)
    y, x = torch.meshgrid(torch.arange(60) - 30.0, torch.arange(82) - 41.0, indexing="ij")
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
    local = follow(synchronizer.score, Spectrum(cut[0]), spread_to(whole, centres))
    assert local.score.square().sum().sqrt() > 1.3 * whole.score.item()


def test_more_pilot_lines_than_the_band_holds_are_refused():
    with pytest.raises(ValueError, match="expected at most"):
        Pilot.from_key(1, count=5000)
