import numpy as np
import pytest

from watermark.detection.calibrate import calibrate, supported_rate


def uniform_log10_p(count, seed=0):
    return np.log10(1 - np.random.default_rng(seed).random(count))


@pytest.mark.parametrize("rate", [0.1, 0.01, 0.002])
def test_the_threshold_keeps_its_rate_on_another_split(rate):
    threshold = calibrate(uniform_log10_p(20_000, 1), rate)
    fresh = (uniform_log10_p(200_000, 2) <= threshold.log10_p).mean()
    assert threshold.hits <= rate * threshold.negatives
    assert fresh == pytest.approx(rate, rel=0.4)
    assert threshold.low <= rate <= threshold.high


def test_ties_never_break_the_promise():
    scores = np.concatenate([np.full(900, -1.0), np.zeros(100)])
    threshold = calibrate(scores, 0.1)
    assert threshold.hits == 0
    assert not (scores <= threshold.log10_p).any()


def test_too_few_negatives_are_refused_with_what_they_support():
    assert supported_rate(3000) == pytest.approx(1e-3, rel=0.01)
    with pytest.raises(ValueError, match=r"100 negatives support rates from 0\.03, got 0\.001"):
        calibrate(uniform_log10_p(100), 1e-3)


@pytest.mark.parametrize("scores", [[], [0.5, -1.0], [float("nan")]])
def test_scores_that_are_no_p_values_are_refused(scores):
    with pytest.raises(ValueError, match="log10 p-values"):
        calibrate(scores, 0.5)
