"""Attackers with many pictures, or with a detector that answers, against a mark and a detector that the test made."""

import math

import pytest
import torch

from attacks.filters import GaussianBlur
from attacks.identity import Identity
from attacks.security import BandNoise, SubtractPattern, aligned_mean, boundary, spsa
from attacks.security.averaging import best_shift, fold
from attacks.security.band import HIGH, LOW, in_band


def pattern(height, width, seed):
    generator = torch.Generator().manual_seed(seed)
    white = torch.fft.rfft2(torch.randn(1, 1, height, width, generator=generator))
    plane = torch.fft.irfft2(white * in_band(height, width, LOW, HIGH, torch.zeros(1)), s=(height, width))
    return plane / plane.square().mean().sqrt()


def correlation(a, b):
    return float((a * b).mean() / (a.square().mean() * b.square().mean()).sqrt())


def test_marks_that_were_shifted_are_laid_on_each_other_before_the_mean_is_taken():
    mark, generator = pattern(64, 64, 1)[0].expand(3, -1, -1), torch.Generator().manual_seed(0)
    shifts = torch.randint(64, (60, 2), generator=generator).tolist()
    noise = [1.5 * torch.randn(3, 64, 64, generator=generator) for _ in shifts]
    guesses = [torch.roll(mark, shift, (1, 2)) + one for shift, one in zip(shifts, noise, strict=True)]
    mean = aligned_mean(guesses)
    there = torch.roll(mean, best_shift(mean, mark), (1, 2))
    assert correlation(there, mark) > 0.9
    assert correlation(torch.stack(guesses).mean(0), mark) < 0.5


def test_a_mark_that_repeats_is_folded_into_one_period():
    tile = pattern(32, 32, 2)[0].expand(3, -1, -1)
    assert torch.allclose(fold(tile.repeat(1, 3, 4), 32), tile, atol=1e-6)
    with pytest.raises(ValueError, match="at least 64 px"):
        fold(tile, 64)


def test_a_learned_pattern_is_subtracted_where_it_lies():
    tile = pattern(48, 48, 3)[0].expand(3, -1, -1)
    mark = 0.01 * torch.roll(tile, (11, 30), (1, 2)).repeat(1, 3, 4)[None]
    left = SubtractPattern(0.01 * 255, tile)(0.5 + mark) - 0.5
    assert left.square().mean() < 0.01 * mark.square().mean()
    assert torch.equal(SubtractPattern(0, tile)(0.5 + mark), 0.5 + mark)


NOISES = [BandNoise(0.3)] * 10
"""Every second of them takes a mark off a detector that only correlates."""


class Correlator:
    """A detector of one pattern; counts what it is asked."""

    def __init__(self, mark, threshold):
        self.mark, self.threshold, self.asked = mark, threshold, 0

    def evidence(self, picture):
        self.asked += 1
        return float(((picture - 0.5).mean(1, keepdim=True) * self.mark).mean() * 1e4)

    def is_marked(self, picture):
        return self.evidence(picture) > self.threshold


@pytest.fixture
def marked():
    mark = pattern(24, 24, 4)
    return 0.5 + 0.005 * mark.expand(1, 3, -1, -1), Correlator(mark, 20.0)


def test_with_the_evidence_as_a_guide_the_mark_goes_within_the_damage_allowed(marked):
    picture, detector = marked
    before = detector.evidence(picture)
    climb = spsa(picture, detector.evidence, 20.0, 400, 40.0, torch.Generator().manual_seed(0))
    assert climb.won
    assert climb.trace[-1] <= 20 < before
    assert climb.queries == detector.asked - 1 <= 400
    assert -10 * math.log10(float((climb.picture - picture).square().mean())) > 39.5


def test_evidence_can_be_raised_too_and_queries_run_out(marked):
    _, detector = marked
    blank = torch.full((1, 3, 24, 24), 0.5)
    assert spsa(blank, detector.evidence, 20.0, 400, 40.0, torch.Generator().manual_seed(0), raises=True).won
    poor = spsa(blank, detector.evidence, 1e9, 30, 40.0, torch.Generator().manual_seed(0), raises=True)
    assert (poor.won, poor.queries <= 30) == (False, True)


def test_with_yes_and_no_alone_the_boundary_is_followed_towards_the_picture(marked):
    picture, detector = marked
    ask = lambda n: boundary(  # noqa: E731
        picture, detector.is_marked, n, torch.Generator().manual_seed(0), starts=NOISES
    )
    few, many = ask(15), ask(600)
    assert few.won
    assert many.won
    assert many.queries == 600
    damage = [float((climb.picture - picture).square().mean()) for climb in (few, many)]
    assert damage[1] < damage[0] / 3
    assert not detector.is_marked(many.picture)


def test_the_walk_begins_where_the_least_takes_the_mark_off(marked):
    picture, detector = marked
    ask = lambda starts, queries: boundary(  # noqa: E731
        picture, detector.is_marked, queries, torch.Generator().manual_seed(0), starts=starts
    )
    mild, none = GaussianBlur(4.0), Identity()  # of a flat picture a blur takes the mark and nothing else
    damage = lambda climb: float((climb.picture - picture).square().mean())  # noqa: E731
    assert damage(ask([*NOISES, none, mild], 80)) < damage(ask(NOISES, 70)) / 4
    assert not detector.is_marked(ask([*NOISES, mild], 80).picture)
    assert not ask([none], 30).won
    assert ask([none, *NOISES, mild], 30).queries == 30


def test_who_may_not_ask_gets_his_picture_back(marked):
    picture, detector = marked
    climb = boundary(picture, detector.is_marked, 0, torch.Generator())
    assert (climb.won, climb.queries) == (False, 0)
