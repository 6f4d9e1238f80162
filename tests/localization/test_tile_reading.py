"""What tiles and regions say is computed by short cuts; here it is computed from its definition, and is the same."""

import math

import pytest
import torch

from watermark import Watermarker
from watermark.localization.locator import matched
from watermark.localization.regions import SIDES, Regions, box_sum
from watermark.localization.tiles import TILE, TileReader, tile_sum
from watermark.synchronization import Alignment
from watermark.transforms.waves import Canvas

SIZE = (92, 131)  # the last tiles hang over both borders
GRID = (12, 17)


@pytest.fixture(scope="module")
def read():
    """A scheme, an alignment, planes and weights of lines, as a picture would have them."""
    scheme = Watermarker.load("tile_spread", key="a", device="cpu").scheme
    generator = torch.Generator().manual_seed(0)
    turn = 1.1 * torch.tensor([[math.cos(0.2), -math.sin(0.2)], [math.sin(0.2), math.cos(0.2)]])
    where = Alignment(turn[None], torch.tensor([[3.7, -11.2]]), torch.ones(1))
    maps = torch.randn(2, *SIZE, generator=generator)
    weights = torch.rand(2, len(scheme.carriers.frequencies), generator=generator)
    return scheme, where, maps, weights


def lines_of_tiles(scheme, where, maps):
    """``(2, L, R, Q)`` complex: the Fourier sum of every tile at every line, phases of pose and key taken off."""
    frequencies = where.frequencies(scheme.carriers.frequencies)[0].double()
    y, x = (torch.arange(side, dtype=torch.float64) - (side - 1) / 2 for side in SIZE)
    turns = frequencies[:, 1, None, None] * y[:, None] + frequencies[:, 0, None, None] * x
    waves = torch.polar(torch.ones_like(turns), -2 * math.pi * turns)
    constant = where.phases(scheme.carriers.frequencies)[0] * scheme.carriers.phase.conj()
    constant = constant * (frequencies.abs().amax(1) < 0.5)
    lines = torch.zeros(2, len(frequencies), *GRID, dtype=torch.complex128)
    for row in range(GRID[0]):
        for column in range(GRID[1]):
            here = (..., slice(TILE * row, TILE * (row + 1)), slice(TILE * column, TILE * (column + 1)))
            lines[:, :, row, column] = torch.einsum("phw,lhw->pl", maps[here].to(waves.dtype), waves[here])
    return lines * constant[:, None, None]


def bits_of(scheme, lines, weights):
    """``(K, R, Q)``: every symbol, weighed, to the bit that it carries."""
    summed = (lines * weights[..., None, None]).sum(0)
    bits = torch.zeros(scheme.message_bits, *GRID, dtype=torch.float64)
    for part, bit, sign in zip(
        (summed.real, summed.imag), scheme.carriers.bit, scheme.carriers.sign.double(), strict=True
    ):
        bits.index_add_(0, bit, part * sign[:, None, None])
    return bits


def test_tiles_say_what_the_whole_picture_would_say_of_them(read):
    scheme, where, maps, weights = read
    lines = lines_of_tiles(scheme, where, maps)
    reader = TileReader(where, scheme.carriers, maps)
    assert reader.grid == GRID
    found = torch.stack(list(reader.soft_bits(weights, scheme.message_bits)), 1)
    wanted = bits_of(scheme, lines, weights)
    assert (found - wanted).abs().max() < 1e-4 * wanted.square().mean().sqrt()
    inside = lines[0].abs().amax((1, 2)) > 0  # power is asked of all lines, and weighed out beyond Nyquist
    power = lines.abs().square().mean((2, 3))[:, inside]
    assert torch.allclose(reader.power()[:, inside].double(), power, rtol=1e-4)


def test_what_a_mark_is_to_a_tile_is_what_its_bits_would_say(read):
    scheme, where, maps, weights = read
    signs = torch.randint(0, 2, (scheme.message_bits,), generator=torch.Generator().manual_seed(1)) * 2.0 - 1
    canvas = Canvas(where.frequencies(scheme.carriers.frequencies), SIZE)
    mark = canvas.draw((weights * matched(signs, scheme.carriers, where))[None])
    found = tile_sum((maps[None] * mark).sum(1))[0]
    wanted = torch.einsum("krq,k->rq", bits_of(scheme, lines_of_tiles(scheme, where, maps), weights), signs.double())
    assert (found - wanted).abs().max() < 1e-4 * wanted.square().mean().sqrt()


def test_regions_are_the_sums_of_their_tiles():
    generator = torch.Generator().manual_seed(2)
    bits = torch.randn(64, 23, 40, generator=generator) + 0.3
    signs = torch.randint(0, 2, (64,), generator=generator) * 2.0 - 1
    regions = Regions(bits.unbind(1), signs, (23, 40))
    for side in (1, *SIDES):
        told, deviation = regions.scores(side)
        summed = box_sum(bits.double(), side)
        assert torch.allclose(told.double(), torch.einsum("krq,k->rq", summed, signs.double()), atol=2e-3)
        assert torch.allclose(deviation.double(), summed.square().sum(0).sqrt(), rtol=1e-5)
