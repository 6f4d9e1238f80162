"""Combs, notches and their yardstick, against marks whose every frequency the test knows."""

import math

import pytest
import torch

from attacks.security import BandNoise, BandStop, Comb, PeriodComb, SpectralNotch, find_period, mean_excess


def host(height=256, width=384, seed=0):
    """A picture with the spectrum of a photograph: amplitudes fall with frequency, and an edge."""
    generator = torch.Generator().manual_seed(seed)
    white = torch.fft.rfft2(torch.randn(1, 3, height, width, generator=generator))
    down, across = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)
    picture = torch.fft.irfft2(white / (down**2 + across**2 + 1e-4).sqrt(), s=(height, width))
    picture = 0.5 + 0.12 * picture / picture.std()
    picture[..., width // 3 :] += 0.1
    return picture.clamp(0.05, 0.95)


def waves(height, width, frequencies, seed=0):
    """Plane waves of random phase, RMS 1."""
    phases = 2 * math.pi * torch.rand(len(frequencies), generator=torch.Generator().manual_seed(seed))
    down, across = torch.arange(height)[:, None], torch.arange(width)
    plane = sum(
        torch.cos(2 * math.pi * (fy * down + fx * across) + phase)
        for (fy, fx), phase in zip(frequencies, phases, strict=True)
    )
    return plane / plane.square().mean().sqrt()


def lattice(period, count, angle=0.0, seed=0, low=0.07, high=0.19):
    """Frequencies of a square lattice with a period, turned by an angle in degrees."""
    reach = math.floor(high * period)
    points = [(k, m) for k in range(1, reach) for m in range(-reach, reach) if low <= math.hypot(k, m) / period <= high]
    chosen = torch.randperm(len(points), generator=torch.Generator().manual_seed(seed))[:count]
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return [((k * cos - m * sin) / period, (k * sin + m * cos) / period) for k, m in (points[i] for i in chosen)]


def held(picture, original, mark):
    """How much of a mark is in a picture: 1 all, 0 nothing."""
    return float(((picture - original).mean(1) * mark).mean() / mark.square().mean())


def psnr(a, b):
    return float(-10 * (a - b).square().mean().log10())


@pytest.mark.parametrize("fill", ["blank", "neighbours"])
def test_a_comb_takes_off_a_mark_with_its_period_and_little_else(fill):
    picture, mark = host(), 0.005 * waves(256, 384, lattice(128, 200))
    marked = picture + mark
    combed, untouched = Comb(1.0, fill=fill)(marked), Comb(1.0, fill=fill)(picture)
    assert held(marked, picture, mark) == pytest.approx(1)
    assert abs(held(combed, untouched, mark)) < 0.02
    assert psnr(combed, marked) > psnr(BandStop(1.0)(marked), marked) + 3
    half = Comb(0.5, fill="blank")(marked)
    assert held(half, Comb(0.5)(picture), mark) == pytest.approx(0.5, abs=0.02)


def test_a_comb_does_nothing_to_a_mark_that_lies_between_its_teeth():
    picture = host()
    mark = 0.005 * waves(256, 384, [(0.1 + i / 256 + 1 / 512, 0.0703125 + 1 / 256) for i in range(20)])
    left = held(Comb(1.0, period=64)(picture + mark), Comb(1.0, period=64)(picture), mark)
    assert left > 0.8


@pytest.mark.parametrize(("period", "angle"), [(128, 0), (97.3, 0), (120, 7)])
def test_the_period_of_a_mark_is_found_at_any_scale_and_angle_and_combed(period, angle):
    picture, mark = host(448, 512), 0.015 * waves(448, 512, lattice(period, 300, angle))
    (first, second), height = find_period((picture + mark).clamp(0, 1)[0])
    assert height > 8
    assert {round(math.hypot(*v) / period, 1) for v in (first, second)} <= {1.0, 1.4}
    assert abs(held(PeriodComb(1.0)((picture + mark).clamp(0, 1)), picture, mark)) < 0.3


def test_a_picture_without_a_period_has_no_peak_that_stands_out():
    marked = host(448, 512) + 0.015 * waves(448, 512, [(0.1 * math.cos(i), 0.1 * math.sin(i)) for i in range(300)])
    assert find_period(marked.clamp(0, 1)[0])[1] < 7


def test_lines_that_stand_at_one_place_in_many_pictures_are_found_and_notched():
    lines = [(r / 256, c / 384) for r, c in [(20, 30), (31, 41), (25, 12), (-22, 33), (-40, 20), (10, 60)]]
    marks = [0.004 * waves(256, 384, lines, seed=number) for number in range(40)]
    pictures = [(host(seed=number) + mark).clamp(0, 1) for number, mark in enumerate(marks)]
    excess = mean_excess(picture[0] for picture in pictures)
    found = {divmod(int(place), excess.shape[1]) for place in excess.flatten().topk(len(lines)).indices}
    assert found == {(round(r * 256) % 256, round(c * 384)) for r, c in lines}
    mark = 0.004 * waves(256, 384, lines, seed=99)
    notch = SpectralNotch(len(lines), excess)
    assert abs(held(notch(host(seed=99) + mark), notch(host(seed=99)), mark)) < 0.02
    assert torch.equal(SpectralNotch(0, excess)(host()), host())


def test_nothing_stands_out_of_unmarked_pictures():
    assert mean_excess(host(seed=number)[0] for number in range(40)).max() < 6


def test_band_noise_has_its_strength_and_stays_in_its_band():
    grey = torch.full((2, 3, 200, 300), 0.5)
    noise = BandNoise(0.02, 0.1, 0.15)(grey) - 0.5
    assert noise.std() == pytest.approx(0.02, rel=0.02)
    assert torch.equal(noise[:, 0], noise[:, 1])
    assert not torch.equal(noise[0], noise[1])
    left = BandStop(1.0, 0.099, 0.151)((grey + noise).clamp(0, 1)) - 0.5
    assert left.std() < 1e-3


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Comb(1.5), "depth"),
        (lambda: Comb(1, period=1), "period"),
        (lambda: Comb(1, low=0.3, high=0.2), "band"),
        (lambda: Comb(1, fill="mean"), "fill"),
        (lambda: BandNoise(-1), "sigma"),
        (lambda: SpectralNotch(9999, torch.zeros(4, 3)), "lines"),
        (lambda: mean_excess([]), "pictures"),
    ],
)
def test_what_makes_no_sense_is_refused(build, words):
    with pytest.raises(ValueError, match=words):
        build()
