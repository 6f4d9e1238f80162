import logging
import math

import numpy as np
import pytest
import torch

from watermark.codec import Codec, Layout, Payload
from watermark.codec.limiter import limited
from watermark.config import build_named
from watermark.detection import Detection, Detector, PublicAnswer, log10_p_value
from watermark.schemes.base import Readout


def read(logits, readings=1):
    return Readout(logits, torch.full((len(logits),), readings))


def marked_logits(codec, payloads, noise, seed=0):
    generator = torch.Generator().manual_seed(seed)
    messages = codec.encode(payloads).float() * 2 - 1
    return messages + noise * torch.randn(messages.shape, generator=generator)


SMALL = Layout(version_bits=1, provider_bits=2, content_bits=3, check_bits=4)
PAYLOADS = [Payload(7, 123_456 + i) for i in range(30)]


def test_marked_logits_are_found_with_their_ids():
    codec = Codec(Layout(), 512, "a secret")
    found = Detector(codec).detect(read(marked_logits(codec, PAYLOADS, 1.3)))
    assert all(f.is_marked and f.log10_p <= -6 for f in found)
    assert [(f.provider_id, f.content_id, f.version) for f in found] == [(7, p.content_id, 1) for p in PAYLOADS]


def test_another_key_finds_nothing_and_says_nothing():
    codec, other = Codec(Layout(), 512, "a secret"), Codec(Layout(), 512, "another")
    for found in Detector(other).detect(read(marked_logits(codec, PAYLOADS, 0.1))):
        assert not found.is_marked
        assert (found.provider_id, found.content_id, found.version) == (None, None, None)


def test_is_marked_is_exactly_the_p_value_at_the_promised_rate():
    codec = Codec(Layout(), 160, 1)
    for rate in (1e-2, 1e-6, 1e-12, 1e-20):
        for noise in (0.5, 0.8, 1.0):
            for f in Detector(codec, rate).detect(read(marked_logits(codec, PAYLOADS, noise))):
                assert f.is_marked == (f.log10_p <= math.log10(rate))
                assert f.is_marked == (f.content_id is not None or f.name_uncertain is not None)


def test_every_try_is_paid_for():
    codec = Codec(Layout(), 512, 1)
    logits = marked_logits(codec, PAYLOADS, 1.0)
    base = Detector(codec).detect(read(logits), expected=PAYLOADS)
    paid = Detector(codec).detect(read(logits, 100_000), expected=PAYLOADS)
    for before, after, alone in zip(base, paid, Detector(codec).detect(read(logits), registry=PAYLOADS), strict=True):
        assert after.log10_p - before.log10_p == pytest.approx(5)
        assert after.log10_p_expected - before.log10_p_expected == pytest.approx(5)
        assert before.log10_p - before.log10_p_expected == pytest.approx(
            53 * math.log10(2)
        )  # 52 bits of IDs, half a budget
        assert alone.log10_p - before.log10_p_expected == pytest.approx(math.log10(30))


@pytest.mark.parametrize("layout", [Layout(), SMALL, Layout(0, 4, 20, 8)])
def test_the_shares_of_all_valid_words_add_up_to_one(layout):
    words = 2.0 ** (layout.provider_bits + layout.content_bits)
    shares = [words * 10 ** -layout.log10_words(version) for version in range(1 << layout.version_bits)]
    assert sum(shares) == pytest.approx(1)


def test_a_registry_recognises_marks_too_weak_to_decode():
    codec = Codec(Layout(), 512, 1)
    registry = [Payload(p, c) for p in range(20) for c in range(100)]
    truth = registry[::70]
    logits = marked_logits(codec, truth, 2.8)
    open_set = Detector(codec).detect(read(logits))
    closed = Detector(codec).detect(read(logits), registry=registry)
    pairs = list(zip(closed, truth, strict=True))
    right = [f.is_marked and (f.provider_id, f.content_id) == (t.provider_id, t.content_id) for f, t in pairs]
    assert sum(f.is_marked for f in open_set) < 5
    assert sum(right) >= 0.7 * len(truth)
    assert all(ok or f.content_id is None for ok, f in zip(right, closed, strict=True))


def test_a_mark_that_is_not_registered_is_never_given_to_a_near_id():
    codec = Codec(Layout(), 256, key=3)
    near = [Payload(7, 123_456 ^ (1 << bit)) for bit in range(40)]
    for noise in (0.2, 0.7, 1.0, 1.3, 3.0):
        logits = marked_logits(codec, [Payload(7, 123_456)] * 8, noise)
        assert not any(d.is_marked for d in Detector(codec).detect(read(logits), registry=near))
        named = Detector(codec).detect(read(logits), registry=[*near, Payload(7, 123_456)])
        assert {d.content_id for d in named} <= {123_456, None}
        assert noise > 1 or all(d.content_id == 123_456 for d in named)


def test_a_registry_larger_than_one_chunk_is_searched_whole(monkeypatch):
    monkeypatch.setattr("watermark.detection.detector._CHUNK", 64)
    codec = Codec(Layout(), 256, 1)
    registry = [Payload(1, c) for c in range(500)]
    for wanted in (0, 63, 64, 499):
        (found,) = Detector(codec).detect(read(marked_logits(codec, [registry[wanted]], 1.0)), registry=registry)
        assert found.content_id == wanted


@pytest.mark.parametrize("value", [0.0, float("nan"), 1.0, -1.0])
def test_flat_logits_are_not_marked(value):
    codec = Codec(Layout(), 256, 1)
    logits = torch.full((3, 256), value)
    for found in Detector(codec).detect(read(logits), expected=PAYLOADS[:3]):
        assert not found.is_marked
        assert -3 < found.log10_p_expected <= 0


@pytest.fixture(scope="module")
def p_values_over_keys():
    """What 800 keys say about pictures without their mark: log10 p for open-set and registry detection."""
    keys, bits = 800, 64
    noise = torch.randn(keys, bits, generator=torch.Generator().manual_seed(0))
    foreign = Codec(SMALL, bits, "foreign").encode([Payload(1, 2)]).float() * 2 - 1
    kinds = {
        "gaussian": noise,
        "biased": noise + 2,
        "heavy tails": noise**5,
        "constant": torch.ones(keys, bits),
        "marked by another key": foreign.expand(keys, bits),
    }
    registry = [Payload(p, c) for p in range(4) for c in range(8)]
    answers = {}
    for key in range(keys):
        detector = Detector(Codec(SMALL, bits, key), 0.1)
        logits = read(torch.stack([rows[key] for rows in kinds.values()]))
        for search, listed in (("open set", None), ("registry", registry)):
            for kind, found in zip(kinds, detector.detect(logits, registry=listed), strict=True):
                answers.setdefault((search, kind), []).append(found.log10_p)
    return answers


def test_false_positives_stay_under_the_promised_rate_over_keys(p_values_over_keys):
    assert len(p_values_over_keys) == 10
    for (search, kind), log10_p in p_values_over_keys.items():
        for rate in (1e-1, 1e-2, 1e-3):
            share = sum(p <= math.log10(rate) for p in log10_p) / len(log10_p)
            assert share <= rate, f"{search}, {kind}"
    assert any(p <= -1 for p in p_values_over_keys["registry", "gaussian"])  # the promise is not kept by silence


def test_a_layout_that_can_never_be_proven_is_said_so(caplog):
    with caplog.at_level(logging.WARNING):
        Detector(Codec(Layout(), 72, 1))
    assert "too few to prove" in caplog.text


def test_a_layout_that_leaves_no_room_for_a_code_is_said_so(caplog):
    long = Layout(version_bits=4, provider_bits=24, content_bits=964, check_bits=32, check="mac")
    with caplog.at_level(logging.WARNING):
        Detector(Codec(long, 1798, 1))
        assert not caplog.text
        Detector(Codec(long, 1024, 1))
    assert "1024 message bits leave no room to correct a payload of 1024" in caplog.text


def test_impossible_requests_are_refused():
    codec = Codec(Layout(), 128, 1)
    with pytest.raises(ValueError, match="false_positive_rate"):
        Detector(codec, 0)
    with pytest.raises(ValueError, match="at least one payload in the registry"):
        Detector(codec).detect(read(torch.ones(1, 128)), registry=[])
    with pytest.raises(ValueError, match="one payload per image"):
        Detector(codec).detect(read(torch.ones(1, 128)), expected=PAYLOADS[:2])


def test_another_reading_answers_where_the_first_proves_nothing_and_is_paid_like_it():
    codec = Codec(Layout(), 512, "a secret")
    clear = marked_logits(codec, PAYLOADS, 1.0)
    noise = torch.randn(len(clear), 2, 512, generator=torch.Generator().manual_seed(5))
    readout = Readout(noise[:, 0], torch.full((len(clear),), 1000), torch.stack([noise[:, 1], clear], 1))
    found = Detector(codec).detect(readout, expected=PAYLOADS)
    alone = Detector(codec).detect(read(clear, 1000), expected=PAYLOADS)
    assert [f.content_id for f in found] == [p.content_id for p in PAYLOADS]
    assert {f.reading for f in found} == {2}
    assert [f.log10_p for f in found] == pytest.approx([f.log10_p for f in alone])
    assert [f.log10_p_expected for f in found] == pytest.approx([f.log10_p_expected for f in alone])
    assert torch.equal(readout.reading(3, found[3].reading), clear[3])


def test_a_first_reading_that_proves_the_mark_is_not_overruled_and_pictures_without_others_stay_unmarked():
    codec = Codec(Layout(), 512, "a secret")
    first, other = marked_logits(codec, PAYLOADS[:2], 1.0), marked_logits(codec, PAYLOADS[2:4], 0.1)
    first[1] = torch.randn(512, generator=torch.Generator().manual_seed(5))
    other[1] = 0
    found = Detector(codec).detect(Readout(first, torch.ones(2, dtype=torch.int64), other[:, None]))
    assert (found[0].content_id, found[0].reading) == (PAYLOADS[0].content_id, 0)
    assert not found[1].is_marked


def near_the_threshold(codec, count, seed=0):
    """Logits whose own payload has a p-value of 1e-8 to 1e-6, and the payloads' IDs."""
    rng, kept, sent = np.random.default_rng(seed), [], []
    while len(sent) < count:
        payloads = [Payload(int(rng.integers(4096)), int(rng.integers(2**40))) for _ in range(64)]
        words = codec.encode(payloads)
        logits = words.double() * 2 - 1 + torch.from_numpy(rng.standard_normal(words.shape)) * 2.85
        log10_p = log10_p_value(limited(logits), words) + codec.layout.log10_words(1)
        wanted = ((log10_p > -8) & (log10_p <= -6)).nonzero()[:, 0].tolist()
        kept += [logits[i] for i in wanted]
        sent += [(payloads[i].provider_id, payloads[i].content_id) for i in wanted]
    return torch.stack(kept[:count]), sent[:count]


def named(found):
    return [None if f.content_id is None else (f.provider_id, f.content_id) for f in found]


def test_just_under_the_threshold_a_mark_is_proven_and_only_certain_ids_are_named():
    codec = Codec(Layout(), 1024, "a secret")
    logits, sent = near_the_threshold(codec, 100)
    found = Detector(codec, misattribution_rate=1e-3).detect(read(logits))
    assert sum(f.is_marked for f in found) > 80
    assert all(name in (None, ids) for name, ids in zip(named(found), sent, strict=True))
    assert 20 < sum(name is not None for name in named(found)) < 95
    for f in found:
        assert (f.content_id is not None) == (f.is_marked and f.log10_doubt <= -3)
        assert (f.name_uncertain is not None) == (f.is_marked and f.content_id is None)
        assert f.name_uncertain is None or "promised at most 0.001" in f.name_uncertain


def test_ids_with_eight_check_bits_would_be_wrong_as_often_as_said_and_are_withheld():
    codec = Codec(Layout(check_bits=8), 1024, "a secret")  # the default once, when every marked picture got a name
    logits, sent = near_the_threshold(codec, 300)
    likeliest = Detector(codec, misattribution_rate=1).detect(read(logits))
    wrong = [name not in (None, ids) for name, ids in zip(named(likeliest), sent, strict=True)]
    assert sum(wrong) >= 4
    said = sum(10**f.log10_doubt for f in likeliest if f.is_marked)
    assert 0.4 * sum(wrong) < said < 3 * sum(wrong)
    careful = named(Detector(codec).detect(read(logits)))
    assert all(name in (None, ids) for name, ids in zip(careful, sent, strict=True))


def test_two_readings_that_name_different_ids_name_none():
    codec = Codec(Layout(), 1024, "a secret")
    pair = codec.encode(PAYLOADS[:2]).double() * 2 - 1
    nothing, agreement = torch.from_numpy(np.random.default_rng(1).standard_normal((2, 1024)))
    readings = pair * (1 + 2.3 * agreement)  # both equally certain
    (found,) = Detector(codec).detect(Readout(nothing[None], torch.tensor([3]), readings[None]))
    assert found.is_marked
    assert (found.content_id, "disagree" in found.name_uncertain) == (None, True)
    (settled,) = Detector(codec).detect(Readout(nothing[None], torch.tensor([2]), readings[None, :1]))
    assert settled.content_id == PAYLOADS[0].content_id


def test_a_registered_name_is_given_only_where_it_leads_its_neighbours():
    codec = Codec(Layout(), 1024, 3)
    registry = [Payload(7, 123_456 ^ (1 << bit)) for bit in range(40)] + [Payload(7, 123_456)]
    sent = [registry[i % 41] for i in range(82)]
    logits = marked_logits(codec, sent, 5.0)
    likeliest = Detector(codec, misattribution_rate=1).detect(read(logits), registry=registry)
    wrong = [f.is_marked and f.content_id != p.content_id for f, p in zip(likeliest, sent, strict=True)]
    careful = Detector(codec).detect(read(logits), registry=registry)
    assert sum(f.is_marked for f in likeliest) > 30
    assert not any(f.content_id is not None and bad for f, bad in zip(careful, wrong, strict=True))
    expected = sum(10**f.log10_doubt for f in likeliest if f.is_marked)
    assert expected >= 0.5 * sum(wrong)


def test_a_misattribution_rate_out_of_range_is_refused():
    with pytest.raises(ValueError, match="misattribution_rate must be in"):
        Detector(Codec(Layout(), 128, 1), misattribution_rate=0)


def test_a_public_answer_has_few_values_and_none_for_the_unmarked():
    answers = {Detection(p <= -6, p, 7, 8).public() for p in np.linspace(-6, -300, 500)}
    assert {answer.at_most_one_in for answer in answers} == {10**6, 10**12}
    assert {Detection(False, p).public() for p in np.linspace(0, -5.9, 100)} == {PublicAnswer(False)}
    withheld = Detection(True, -6.5, name_uncertain="too faint").public()
    assert (withheld.provider_id, withheld.name_uncertain) == (None, True)


def test_where_an_attack_turns_every_bit_over_nobody_is_named_without_check_bits():
    """Two colours of a picture changed places, and every bit of RivaGAN with them: that had been another's ID."""
    codec = Codec(build_named("layout", "l8"), 32, key=1)
    sent = codec.encode([Payload(provider, content) for provider in range(16) for content in range(8)]).float() * 2 - 1
    assert all(found.is_marked for found in Detector(codec).detect(read(sent)))
    assert not any(found.is_marked for found in Detector(codec).detect(read(-sent)))
