"""The few formulas of our own, pinned to scipy, scikit-learn, closed forms and simulation."""

import numpy as np
import pytest
from scipy import stats

from watermark.metrics.clustered import clustered_rate, negatives_needed, supported_rate
from watermark.metrics.identification import attribution_chances, colliding_pairs
from watermark.metrics.null_diagnostics import bit_diagnostics, uniformity
from watermark.metrics.paired import bootstrap_mean, holm, sign_flip, smallest_p
from watermark.metrics.quality_plane import crossing, degradation
from watermark.metrics.tpr_at_fpr import auc, threshold_at, tpr_at_fpr

rng = np.random.default_rng


def test_one_row_per_picture_gives_clopper_pearson():
    rate = clustered_rate([True] * 7 + [False] * 3, range(10))
    exact = stats.binomtest(7, 10).proportion_ci(method="exact")
    assert (rate.low, rate.high) == pytest.approx((exact.low, exact.high))
    assert (rate.successes, rate.n, rate.clusters) == (7, 10, 10)


def test_copies_of_a_picture_add_no_certainty():
    hits, images = [True] * 7 + [False] * 3, list(range(10))
    once, forty = clustered_rate(hits, images), clustered_rate(hits * 40, images * 40)
    assert forty.n == 400
    assert forty.high - forty.low >= 0.95 * (once.high - once.low)


def test_all_detected_is_no_proof_beyond_the_number_of_pictures():
    rate = clustered_rate([True] * 200, [0, 1, 2, 3] * 50)
    assert rate.high == 1
    assert rate.low == pytest.approx(stats.binomtest(4, 4).proportion_ci(method="exact").low)


def test_clustered_interval_covers_the_truth():
    covered, generator = 0, rng(3)
    for _ in range(400):
        quality = generator.beta(2, 1, size=20)  # each picture its own detection rate; the mean is 2/3
        hits = generator.random((20, 15)) < quality[:, None]
        rate = clustered_rate(hits.ravel(), np.repeat(np.arange(20), 15))
        covered += rate.low <= 2 / 3 <= rate.high
    assert covered / 400 >= 0.93


def test_supported_rate_is_the_clopper_pearson_end_and_has_an_inverse():
    assert supported_rate(1000) == pytest.approx(stats.binomtest(0, 1000).proportion_ci(method="exact").high)
    assert negatives_needed(1e-4) == pytest.approx(36_900, rel=1e-3)
    assert supported_rate(negatives_needed(1e-3)) <= 1e-3 < supported_rate(negatives_needed(1e-3) - 1)
    assert supported_rate(0) == 1


def test_the_sign_flip_of_single_answers_is_mcnemars_exact_test():
    a = np.array([1] * 9 + [0] * 2 + [1] * 5)
    b = np.array([0] * 9 + [1] * 2 + [1] * 5)
    assert sign_flip(a.astype(float) - b) == pytest.approx(
        stats.binomtest(9, 11).pvalue
    )  # of the pictures that disagree
    assert sign_flip(np.zeros(5)) == 1
    assert sign_flip(np.ones(6)) == smallest_p(6) == pytest.approx(2**-5)


def test_sign_flip_holds_its_level_and_finds_a_difference():
    assert np.mean([sign_flip(rng(i).normal(size=12)) <= 0.05 for i in range(300)]) <= 0.09
    assert sign_flip(rng(1).normal(0.8, 1, size=60), draws=2000) <= 0.002


def test_large_samples_take_the_normal_law_and_agree_with_drawing():
    differences = rng(4).normal(0.06, 1, size=499)
    more = np.append(differences, 1e-9)  # one more picture crosses the border between the two methods
    assert sign_flip(more) == pytest.approx(sign_flip(differences), abs=0.01)
    assert bootstrap_mean(more) == pytest.approx(bootstrap_mean(differences), abs=0.01)


def test_bootstrap_interval_is_as_wide_as_the_t_interval_for_few_pictures():
    values = rng(0).normal(size=8)
    low, high = bootstrap_mean(values)
    t_low, t_high = stats.t.interval(0.95, 7, values.mean(), stats.sem(values))
    assert high - low == pytest.approx(t_high - t_low, rel=0.15)
    assert np.isnan(bootstrap_mean([1.0])[0])


def test_holm_steps_down():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]).max() <= 1


def test_auc_and_threshold_agree_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    pos, neg = rng(0).normal(1, 1, 300).round(1), rng(1).normal(0, 1, 400).round(1)
    truth, scores = np.r_[np.ones(300), np.zeros(400)], np.r_[pos, neg]
    assert auc(pos, neg) == pytest.approx(metrics.roc_auc_score(truth, scores))
    fpr, tpr, _ = metrics.roc_curve(truth, scores, drop_intermediate=False)
    for rate in (0.01, 0.05, 0.2):
        assert tpr_at_fpr(pos, neg, rate, draws=20).tpr == pytest.approx(tpr[fpr <= rate].max())
    assert np.isnan(auc([], neg))


def test_threshold_is_refused_where_negatives_are_too_few():
    assert threshold_at(np.arange(99), 0.01) is None
    assert threshold_at(np.arange(100), 0.01) == 98
    assert tpr_at_fpr([1.0], np.zeros(10), 1e-3).tpr is None


def test_bootstrap_of_tpr_doubts_the_negatives_too():
    pos, neg = rng(0).normal(2.3, 1, 4000), rng(1).normal(0, 1, 200)
    result = tpr_at_fpr(pos, neg, 0.01)
    positives_only = 3.92 * np.sqrt(result.tpr * (1 - result.tpr) / 4000)
    assert result.high - result.low > 3 * positives_only
    assert result.fpr <= 0.01


def test_lookup_keeps_its_promise_in_a_drawn_registry():
    logits = rng(0).normal(size=(300, 64)) + 0.55  # the true id is all ones
    unit = logits / np.linalg.norm(logits, axis=1, keepdims=True)
    score = unit.sum(axis=1)
    log10_p = np.where(score > 0, -(score**2) / 2 / np.log(10), 0.0)
    right, wrong, _ = attribution_chances(log10_p, np.ones(300), 2_000, 0.5)
    others = rng(1).choice([-1.0, 1.0], size=(1_999, 64)) @ unit.T
    best = others.max(axis=0)
    accepted = np.maximum(best, score) >= np.sqrt(2 * np.log(2_000 / 0.5))
    assert np.mean(accepted & (best > score)) <= wrong.mean() + 0.03
    assert np.mean(accepted & (score >= best)) >= right.mean() - 0.03
    assert right.mean() > 0.2


def test_lookup_outcomes_sum_to_one_and_get_harder_with_size():
    log10_p, tries = np.array([-0.5, -9.0, -14.0, -30.0, np.nan]), np.array([1, 1, 1, 1000, np.nan])
    small, large = (attribution_chances(log10_p, tries, m, 1e-6) for m in (100, 10_000_000))
    for outcome in (small, large):
        assert sum(outcome) == pytest.approx(np.ones(5))
        assert outcome[1].max() <= 1e-6  # a wrong answer costs what was promised, at most
    assert small[0].round(3).tolist() == [0, 1, 1, 1, 0]
    assert large[0].round(3).tolist() == [0, 0, 1, 1, 0]
    with pytest.raises(ValueError, match="rate in"):
        attribution_chances(log10_p, tries, 0, 1e-6)


def test_collision_bound_is_the_one_of_labels():
    assert colliding_pairs(1e11, 64) == pytest.approx(271, rel=0.01)


def test_biased_and_correlated_bits_are_seen_and_fair_ones_pass():
    fair = rng(0).normal(size=(200, 64))
    assert bit_diagnostics(fair).bias_p > 0.01
    assert bit_diagnostics(fair).mean_abs_correlation == pytest.approx(0.0566, abs=0.006)
    shared = fair + 2 * rng(1).normal(size=(200, 1))
    assert bit_diagnostics(shared).mean_abs_correlation > 0.3
    assert bit_diagnostics(fair + np.linspace(-1, 1, 64)).bias_p < 1e-6
    assert bit_diagnostics(fair[:5]).mean_abs_correlation is None


def test_p_values_that_are_too_small_fail_and_conservative_ones_pass():
    uniform = np.log10(rng(0).random(500))
    assert uniformity(uniform).too_small_p > 0.01
    assert uniformity(0.5 * uniform).too_small_p > 0.9
    assert uniformity(2 * uniform).too_small_p < 1e-6
    assert uniformity(uniform).at_or_below[0.1] == pytest.approx(0.1, abs=0.04)


def test_q_crossing_follows_waves():
    assert crossing([0.1, 0.2, 0.3], [1.0, 0.9, 0.5], 0.95) == pytest.approx(0.15)
    assert crossing([0.3, 0.1], [1.0, 1.0], 0.95) == float("inf")
    assert crossing([0.1, 0.2], [0.5, 0.1], 0.7) == float("-inf")
    assert degradation(43.5476, 0.984229) == 0
    assert degradation(25, 0.7) > degradation(35, 0.95) > 0
