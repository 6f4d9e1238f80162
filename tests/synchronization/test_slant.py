"""Pictures seen from aside: the slant is found in the power of windows, and taken off."""

import numpy as np
import pytest
import torch

from tests.synchronization.test_synchronizer import keyed_lines, turn
from watermark.synchronization import Poses, Spectrum, Synchronizer, straightened
from watermark.synchronization.slant import derivatives, slants

SLANT = torch.tensor([[0.0011, -0.0007]])
SIZE = (256, 320)


@pytest.fixture(scope="module")
def synchronizer() -> Synchronizer:
    return Synchronizer(keyed_lines(7, 96), Poses.from_key(7, "poses"))


def seen_from_aside(slant, strength=0.05, seed=0):
    """Two planes of noise and lines under ``turn(10, .9) @ x / (1 + slant . x)``."""
    y, x = torch.meshgrid(*(torch.arange(n) - (n - 1) / 2 for n in SIZE), indexing="ij")
    places = torch.stack([x, y], -1).double()
    plane = (places / (1 + places @ slant[0].double())[..., None]) @ torch.from_numpy(np.asarray(turn(10, 0.9))).T
    lines = keyed_lines(7, 96)
    phase = 2 * torch.pi * (plane @ torch.from_numpy(lines.frequencies).T)
    waves = (torch.polar(torch.ones_like(phase), phase) * torch.from_numpy(lines.symbols)).real.sum(-1)
    noise = torch.randn(1, 2, *SIZE, generator=torch.Generator().manual_seed(seed))
    return noise + strength * waves.float()


def found(synchronizer, maps, thorough):
    first, second = (Spectrum(plane) for plane in maps.unbind(1))
    return synchronizer.slanted(maps, first.plus(second), 1.0, thorough)


@pytest.mark.parametrize("thorough", [False, True])
def test_a_slant_is_found_to_a_px_at_the_border(thorough, synchronizer):
    slant = found(synchronizer, seen_from_aside(SLANT), thorough).slant
    assert (slant - SLANT).abs().max() * (max(SIZE) / 2) ** 2 < 2


def test_the_pilot_is_found_in_the_straightened_map_and_not_in_the_other(synchronizer):
    maps = seen_from_aside(SLANT)
    slanted = found(synchronizer, maps, thorough=False)
    before, after = (
        synchronizer.straight(Spectrum(one[:, 0]), slanted.matrix).score.max()
        for one in (maps, straightened(maps, slanted.slant))
    )
    assert before < synchronizer.accept < after


@pytest.mark.parametrize("seed", range(3))
def test_noise_may_look_slanted_and_no_pilot_is_found_in_it(seed, synchronizer):
    maps = seen_from_aside(SLANT, 0, seed)
    slanted = found(synchronizer, maps, thorough=True)
    for slant, matrix in zip(slanted.slant, slanted.matrix, strict=True):
        straight = Spectrum(straightened(maps, slant[None])[:, 0])
        assert synchronizer.straight(straight, matrix[None]).score.max() < synchronizer.accept


def test_each_map_of_a_batch_is_told_on_its_own(synchronizer):
    maps = torch.cat([seen_from_aside(SLANT), torch.zeros(1, 2, *SIZE), seen_from_aside(-SLANT)])
    both = found(synchronizer, maps, thorough=False)
    assert both.maps.tolist() == [0, 2]
    torch.testing.assert_close(
        both.slant[1:], found(synchronizer, maps[2:], thorough=False).slant, atol=1e-5, rtol=1e-3
    )


def test_derivatives_are_those_of_the_projection():
    places = torch.tensor([[30.0, -50.0], [0.0, 0.0], [-100.0, 70.0]])
    expected = [torch.autograd.functional.jacobian(lambda x: x / (1 + x @ SLANT[0]), place) for place in places]
    torch.testing.assert_close(derivatives(SLANT, places)[0], torch.stack(expected))


def test_a_bend_is_what_the_border_moves_by():
    slant = slants(torch.eye(2)[None] * 0.5, torch.tensor([[4.0, 0.0]]), SIZE)
    border = torch.tensor([max(SIZE) / 2, 0.0])
    moved = 0.5 * (border - border / (1 + border @ slant[0]))
    assert moved[0] == pytest.approx(4, rel=0.1)


def test_straightening_is_undone_by_the_negative():
    y, x = torch.meshgrid(torch.linspace(0, 9, SIZE[0]), torch.linspace(0, 9, SIZE[1]), indexing="ij")
    smooth = (x.sin() * y.cos())[None, None]
    back = straightened(straightened(smooth, SLANT), -SLANT)
    inside = (slice(None), slice(None), slice(60, -60), slice(60, -60))
    assert (straightened(smooth, SLANT) - smooth)[inside].abs().max() > 0.1
    torch.testing.assert_close(back[inside], smooth[inside], atol=2e-3, rtol=0)
