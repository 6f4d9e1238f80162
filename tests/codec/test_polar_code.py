import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import binomtest, norm

from watermark.codec.construction import input_means, threshold_snr
from watermark.codec.crc import crc
from watermark.codec.polar import PolarCode, transform

LENGTHS = [
    (1, 1),
    (5, 7),
    (12, 12),
    (40, 100),
    (56, 100),
    (64, 64),
    (64, 65),
    (64, 96),
    (64, 127),
    (64, 128),
    (64, 129),
]
LENGTHS += [(64, 256), (64, 300), (64, 512), (64, 1000), (64, 1024), (64, 2000), (72, 96), (96, 100), (96, 512)]
LENGTHS += [(128, 200), (128, 512), (128, 1900), (256, 257), (256, 300), (256, 1024), (33, 4097), (1100, 1500)]


def random_bits(count, length, seed=0):
    return np.random.default_rng(seed).random((count, length)) < 0.5


@pytest.mark.parametrize(
    ("information_bits", "channel_bits", "plain"),
    [(8, 32, True), (8, 25, True), (9, 300, True), (40, 100, True), (5, 7, False), (64, 96, True), (64, 65, False)],
)
def test_a_code_without_inverses_has_none(information_bits, channel_bits, plain):
    """The inverse of a word of a linear code is one exactly if the word of ones is: then ones decode to it."""
    ones = np.full((1, channel_bits), -20, dtype=np.float32)
    for inverses in (True, False):
        code = PolarCode(information_bits, channel_bits, 8, inverses=inverses)
        assert code.encode(code.decode(ones)[0][:, 0]).all() == (inverses and plain)
        bits = random_bits(20, information_bits)
        sent = np.where(code.encode(bits), -9, 9).astype(np.float32)
        assert (code.decode(sent)[0][:, 0] == bits).all()
    with pytest.raises(ValueError, match="do not fit"):
        PolarCode(8, 8, inverses=False)


def noisy(code_bits, snr, seed=0):
    """Log-likelihood ratios after a binary-input Gaussian channel of Es/N0 ``snr``."""
    noise = np.random.default_rng(seed).standard_normal(code_bits.shape)
    return (4 * snr * np.where(code_bits, -1, 1) + math.sqrt(8 * snr) * noise).astype(np.float32)


def word_errors(information_bits, channel_bits, snr, words, list_size=32, check=8, batch=200):
    """How many of ``words`` a CRC-aided list decoder gets wrong."""
    code, errors = PolarCode(information_bits + check, channel_bits, list_size), 0
    for seed in range(words // batch):
        payload = random_bits(batch, information_bits, seed)
        bits = np.concatenate([payload, crc(payload, check)], axis=1)
        candidates, _ = code.decode(noisy(code.encode(bits), snr, seed))
        valid = (crc(candidates[..., :information_bits], check) == candidates[..., information_bits:]).all(-1)
        chosen = candidates[np.arange(batch), valid.argmax(1)]
        errors += int((chosen != bits).any(1).sum())
    return errors


def normal_approximation(information_bits, channel_bits, error_rate):
    """Es/N0 of the best code, by integration written independently of the product (Polyanskiy et al. 2010)."""

    def excess(snr):
        def moment(power, centre=0.0):
            def integrand(z):
                bits = 1 - np.logaddexp(0, -(4 * snr + math.sqrt(8 * snr) * z)) / math.log(2)
                return (bits - centre) ** power * norm.pdf(z)

            return quad(integrand, -12, 12, limit=200)[0]

        capacity = moment(1)
        dispersion = moment(2, capacity)
        n = channel_bits
        return n * capacity + math.sqrt(n * dispersion) * norm.ppf(error_rate) + math.log2(n) / 2 - information_bits

    low, high = 1e-3, 30.0
    for _ in range(40):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if excess(middle) > 0 else (middle, high)
    return high


@pytest.mark.parametrize(("information_bits", "channel_bits"), LENGTHS)
def test_noiseless_words_come_back_for_any_pair_of_lengths(information_bits, channel_bits):
    code = PolarCode(information_bits, channel_bits, list_size=4)
    bits = random_bits(8, information_bits)
    words = code.encode(bits)
    candidates, metrics = code.decode(np.where(words, -6.0, 6.0).astype(np.float32))
    assert words.shape == (8, channel_bits)
    assert (candidates[:, 0] == bits).all()
    assert (np.diff(metrics, axis=1) >= 0).all()


@pytest.mark.parametrize(("information_bits", "channel_bits"), [(64, 128), (64, 256), (64, 512), (64, 1000)])
def test_word_errors_lie_within_one_decibel_of_the_normal_approximation(information_bits, channel_bits):
    snr = normal_approximation(information_bits, channel_bits, 1e-2) * 10**0.1
    errors = word_errors(information_bits, channel_bits, snr, words=1000)
    assert binomtest(errors, 1000).proportion_ci(0.95).high < 1e-2


@pytest.mark.parametrize(("information_bits", "channel_bits"), [(64, 128), (96, 512), (128, 300)])
def test_design_point_is_the_normal_approximation(information_bits, channel_bits):
    expected = normal_approximation(information_bits, channel_bits, 1e-3)
    assert threshold_snr(information_bits, channel_bits, 1e-3) == pytest.approx(expected, rel=1e-3)


def test_a_longer_message_never_hurts():
    strength = 12.5**2 / 2  # total Es/N0 of the word, the same for every length
    errors = [word_errors(56, n, strength / n, words=600) for n in (128, 256, 512, 1000, 2000)]
    assert errors[1] <= errors[0]
    assert max(errors[1:]) <= 30


def test_a_list_beats_plain_successive_cancellation():
    snr = normal_approximation(64, 128, 1e-2) * 10**0.05
    assert word_errors(64, 128, snr, 600, list_size=32) < 0.5 * word_errors(64, 128, snr, 600, list_size=1)


def test_the_list_holds_the_likeliest_word():
    code = PolarCode(8, 16, list_size=256)  # a list of all words is maximum-likelihood decoding
    llr = noisy(code.encode(random_bits(50, 8)), 0.3)
    every = (np.arange(256)[:, None] >> np.arange(8)) & 1 == 1
    best = every[(llr @ np.where(code.encode(every), -1.0, 1.0).T).argmax(1)]
    assert (code.decode(llr)[0][:, 0] == best).all()


@pytest.mark.parametrize(("information_bits", "channel_bits"), [(8, 16), (8, 24), (10, 40), (12, 16)])
def test_words_that_are_not_on_the_list_are_weighed_as_if_they_were(information_bits, channel_bits):
    whole = PolarCode(information_bits, channel_bits, list_size=1 << information_bits)  # every word is on the list
    llr = noisy(whole.encode(random_bits(50, information_bits)), 0.3)
    words, metrics, rest = whole.weigh(llr)
    probability = np.stack([whole.log_probability(llr, words[:, i]) for i in range(words.shape[1])], axis=1)
    assert np.abs(probability + metrics).max() < 1e-3
    assert rest.max() < -15  # nothing was dropped
    listed = PolarCode(information_bits, channel_bits, list_size=4).weigh(llr)
    missing = np.exp(-metrics).sum(1) - np.exp(-listed.metrics).sum(1)
    assert np.exp(listed.rest).sum() == pytest.approx(missing.sum(), rel=0.2)


def test_a_batch_decodes_as_its_words_do_one_by_one():
    code = PolarCode(64, 300, list_size=8)
    llr = noisy(code.encode(random_bits(6, 64)), threshold_snr(64, 300))
    together, alone = code.decode(llr)[0], [code.decode(row[None])[0][0] for row in llr]
    assert (together[:, 0] == np.stack(alone)[:, 0]).all()


def test_transform_is_the_kronecker_power():
    kernel = np.array([[1, 0], [1, 1]])
    matrix = np.kron(np.kron(kernel, kernel), kernel)
    bits = random_bits(20, 8)
    assert (transform(bits) == (bits @ matrix % 2 == 1)).all()
    assert (transform(transform(bits)) == bits).all()


def test_gaussian_approximation_agrees_with_simulation():
    rng, means = np.random.default_rng(0), np.array([0.8, 3.0])
    a, b = (m + math.sqrt(2 * m) * rng.standard_normal(400_000) for m in means)
    check, both = input_means(means)
    measured = np.tanh(a / 2).mean() * np.tanh(b / 2).mean()
    implied = np.tanh((check + math.sqrt(2 * check) * rng.standard_normal(400_000)) / 2).mean()
    assert implied == pytest.approx(measured, abs=5e-3)
    assert both == pytest.approx(means.sum())


@pytest.mark.parametrize(("width", "expected"), [(16, 0x29B1), (32, 0x0376E6E7), (8, 0x20)])
def test_crcs_give_their_catalogued_check_values(width, expected):
    bits = np.unpackbits(np.frombuffer(b"123456789", dtype=np.uint8)).astype(bool)
    assert int("".join("01"[b] for b in crc(bits, width).astype(int)), 2) == expected


@pytest.mark.parametrize("width", [4, 6, 8, 12, 16, 24, 32])
def test_crcs_see_every_single_and_double_error_in_a_payload(width):
    word = random_bits(1, 24 if width < 6 else 56)[0][: 12 if width == 4 else None]
    reference, length = crc(word, width), len(word)
    flips = np.eye(length, dtype=bool)
    pairs = np.array([flips[i] ^ flips[j] for i in range(length) for j in range(i)] + list(flips))
    seen = (crc(word ^ pairs, width) != reference).any(1)
    assert seen.mean() > (0.9 if width < 8 else 0.999)


def test_too_few_channel_bits_are_refused_in_one_line():
    with pytest.raises(ValueError, match="64 information bits do not fit in 63 channel bits"):
        PolarCode(64, 63)


@pytest.mark.parametrize(("information", "channel"), [(900, 2048), (1024, 1798), (1024, 4096)])
def test_long_payloads_are_read_within_two_decibels_of_the_bound(information, channel):
    """A code of 1,024 positions, repeated, would need three times that and more."""
    snr = 1.5 * threshold_snr(information, channel)
    assert word_errors(information - 8, channel, snr, words=8, batch=8) == 0
