import math

import pytest
import torch
from scipy.stats import binom

from watermark.detection.null import correlation_score, log10_p_value, log10_tail, pay_for
from watermark.keys import keyed_signs

KEYS, BITS = 20_000, 96


def generator():
    return torch.Generator().manual_seed(0)


def gaussian():
    return torch.randn(KEYS, BITS, generator=generator())


def correlated():
    mixing = torch.randn(6, BITS, generator=generator())
    return torch.randn(KEYS, 6, generator=generator()) @ mixing + 0.1 * gaussian()


LOGITS = {
    "gaussian": gaussian,
    "the same picture under every key": lambda: gaussian()[:1].expand(KEYS, BITS),
    "constant": lambda: torch.full((KEYS, BITS), 0.3),
    "heavy tails": lambda: gaussian() / torch.rand(KEYS, BITS, generator=generator()).clamp_min(1e-3),
    "one giant bit": lambda: torch.cat([torch.full((KEYS, 1), 50.0), gaussian()[:, 1:]], 1),
    "biased bits": lambda: gaussian() + 3,
    "correlated bits": correlated,
    "few bits survive": lambda: gaussian() * (torch.arange(BITS) < 5),
}


@pytest.fixture(scope="module")
def random_words():
    """What ``KEYS`` keys turn one payload into."""
    return torch.stack([torch.from_numpy(keyed_signs(key, "test of the null", BITS) > 0) for key in range(KEYS)])


@pytest.mark.parametrize("kind", LOGITS)
def test_false_positives_stay_under_the_promised_rate_for_any_logits(random_words, kind):
    log10_p = log10_p_value(LOGITS[kind](), random_words)
    for rate in (1e-1, 1e-2, 1e-3):
        assert (log10_p <= math.log10(rate)).double().mean() <= rate


def test_the_bound_wastes_less_than_a_factor_of_five(random_words):
    log10_p = log10_p_value(gaussian(), random_words)
    for rate in (1e-1, 1e-2):
        assert (log10_p <= math.log10(rate)).double().mean() >= rate / 5


@pytest.mark.parametrize("shape", [0.0, 0.3, 1.0, 3.0])
def test_the_bound_holds_against_every_sign_pattern_of_a_short_message(monkeypatch, shape):
    for limit in ("_TILT_FROM", "_SHARPEN_FROM"):
        monkeypatch.setattr(f"watermark.detection.null.{limit}", 0.3)  # the sharpest bound everywhere
    bits = 16
    weights = torch.rand(bits, generator=generator(), dtype=torch.float64)[None] ** shape
    words = (torch.arange(2**bits)[:, None] >> torch.arange(bits)) & 1 == 1
    scores = correlation_score(weights.expand(2**bits, bits), words).sort(descending=True).values
    some = scores[torch.unique(torch.logspace(0, bits * math.log10(2), 80).long()) - 1]
    exact = (torch.searchsorted(-scores, 1e-12 - some, right=True) / 2**bits).double().log10()
    assert (log10_tail(some, weights.expand(len(some), bits)) >= exact - 1e-7).all()


def test_the_bound_is_within_a_factor_of_six_of_the_truth_far_out():
    bits = 512  # equal logits: the number of right bits is binomial
    right = torch.tensor([330, 350, 370, 400])
    exact = torch.from_numpy(binom.logsf(right.numpy() - 1, bits, 0.5)) / math.log(10)
    bound = log10_tail((2 * right - bits) / math.sqrt(bits), torch.ones(len(right), bits))
    assert (bound >= exact - 1e-4).all()
    assert (bound <= exact + math.log10(6)).all()


@pytest.mark.parametrize("bits", [30, 100, 512, 100_000])
def test_all_bits_right_is_as_rare_as_that_many_coins(bits):
    log10_p = log10_p_value(torch.full((1, bits), 2.0), torch.ones(bits, dtype=torch.bool))
    assert float(log10_p) == pytest.approx(-bits * math.log10(2), rel=1e-4)


def test_p_never_underflows_for_a_hundred_thousand_bits():
    logits = torch.randn(1, 100_000, generator=generator())
    log10_p = float(log10_p_value(logits, logits[0] > 0))
    assert -30_103 < log10_p < -20_000


def test_more_correlation_is_never_less_significant():
    scores = torch.linspace(-5, 9, 500, dtype=torch.float64)
    log10_p = log10_tail(scores, torch.ones(500, 100))
    assert (log10_p.diff() <= 1e-9).all()
    assert (log10_p <= 0).all()
    assert log10_p.isfinite().all()


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf"), -float("inf")])
def test_logits_without_information_prove_nothing(value):
    logits = torch.ones(2, 64)
    logits[0] = value
    assert log10_p_value(logits, torch.ones(64, dtype=torch.bool)).tolist()[0] == 0


@pytest.mark.parametrize("scale", [1e-300, 1e-20, 1e20, 1e300])
def test_the_scale_of_the_logits_does_not_matter(scale):
    logits = torch.randn(50, 64, generator=generator(), dtype=torch.float64)
    expected = logits[0] > 0
    assert torch.allclose(log10_p_value(logits * scale, expected), log10_p_value(logits, expected))


def test_searches_are_paid_for_and_p_stays_at_most_one():
    assert pay_for(torch.tensor([-9.0, -2.0]), 3.0).tolist() == [-6.0, 0.0]


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"expected logits \(N, K\)"):
        log10_p_value(torch.ones(2, 5), torch.ones(4, dtype=torch.bool))
