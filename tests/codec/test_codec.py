import hashlib

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from watermark.codec import Codec, Layout, Payload
from watermark.codec.certainty import cautious_scale
from watermark.codec.limiter import limited

NAMED = {"l64": 72, "l96": 96, "l128": 128, "l256": 256, "l1024": 1024}


def payloads_of(layout, count, seed=0):
    rng = np.random.default_rng(seed)
    top = (1 << layout.provider_bits) - 1, (1 << layout.content_bits) - 1
    random = [
        Payload(int(rng.integers(0, top[0] + 1)), int(rng.integers(0, min(top[1], 2**62) + 1)), int(rng.integers(0, 4)))
        for _ in range(count - 2)
    ]
    return [Payload(0, 0, 0), Payload(*top), *random]


def logits_of(messages, noise=0.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return messages.float() * 2 - 1 + noise * torch.randn(messages.shape, generator=generator)


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("spare", [0, 37, 500, 1900])
def test_every_named_layout_comes_back_from_any_message_length(request, name, spare):
    root = request.config.rootpath
    layout = instantiate(OmegaConf.load(root / "configs" / "layout" / f"{name}.yaml"))
    assert layout.total_bits == NAMED[name]
    codec = Codec(layout, layout.total_bits + spare, key="a secret")
    payloads = payloads_of(layout, 6)
    decoded = codec.decode(logits_of(codec.encode(payloads)) * 1e-4)
    assert [d.payload for d in decoded] == payloads
    assert all(d.corrected == 0 for d in decoded)


def test_a_quarter_of_wrong_bits_is_corrected_and_counted():
    codec = Codec(Layout(), 512, key=1)
    payloads = payloads_of(codec.layout, 40)
    messages = codec.encode(payloads)
    logits = logits_of(messages, noise=1.5)  # a quarter of the signs are wrong
    decoded = codec.decode(logits)
    wrong = ((logits > 0) != messages).sum(1).tolist()
    assert min(wrong) > 80
    assert [d.payload for d in decoded] == payloads
    assert [d.corrected for d in decoded] == wrong


def test_soft_decisions_of_any_scale_decode_alike():
    codec = Codec(Layout(), 256, key=1)
    logits = logits_of(codec.encode(payloads_of(codec.layout, 20)), noise=1.2)
    reference = [d.payload for d in codec.decode(logits)]
    assert any(reference)
    for scale in (1e-30, 1e-3, 1e6):
        assert [d.payload for d in codec.decode(logits.double() * scale)] == reference


def test_a_few_enormous_logits_do_not_outvote_the_rest():
    codec = Codec(Layout(), 512, key=1)
    payloads = payloads_of(codec.layout, 10)
    logits = logits_of(codec.encode(payloads), noise=0.5)
    logits[:, :12] = -40 * logits[:, :12].sign()
    assert [d.payload for d in codec.decode(logits)] == payloads


@pytest.mark.parametrize("wrong", ["b secret", b"a secret", 0])
def test_nothing_decodes_without_the_key(wrong):
    right = Codec(Layout(4, 12, 40, 16), 256, key="a secret")
    logits = logits_of(right.encode(payloads_of(right.layout, 50)))
    found = [d.payload for d in Codec(right.layout, 256, wrong).decode(logits)]
    assert sum(payload is not None for payload in found) <= 2  # a 16-bit check, 128 candidates, 50 words: 0.1 expected
    assert not set(found) & set(payloads_of(right.layout, 50))


def test_without_the_key_a_message_is_a_fair_coin_per_bit():
    words = torch.cat([Codec(Layout(), 128, key).encode([Payload(0, 0, 0)]) for key in range(400)]).double()
    assert (words.mean(0) - 0.5).abs().max() < 0.13  # 5 standard deviations of 400 keys
    assert abs(float(words.mean()) - 0.5) < 0.012


@pytest.mark.parametrize(
    "logits", [torch.zeros(2, 128), torch.full((2, 128), float("nan")), torch.full((2, 128), torch.inf)]
)
def test_logits_without_information_decode_to_nothing(logits):
    for decoded in Codec(Layout(), 128, key=1).decode(logits):
        assert decoded.payload is None
        assert decoded.score == 0


def test_one_empty_image_does_not_disturb_its_batch():
    codec = Codec(Layout(), 128, key=1)
    logits = logits_of(codec.encode([Payload(1, 2), Payload(3, 4)]))
    logits[0, 5] = float("nan")
    assert [d.payload for d in codec.decode(logits)] == [None, Payload(3, 4)]


def test_a_forger_without_the_key_cannot_make_a_mac_checked_payload():
    layout = Layout(4, 24, 68, 32, "mac")
    words = np.random.default_rng(0).random((2000, layout.total_bits)) < 0.5
    assert not layout.checks(words, key="a secret").any()
    packed = layout.pack([Payload(5, 6)], key="a secret")
    assert layout.checks(packed, key="a secret").all()
    assert not layout.checks(packed, key="another").any()


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (Payload(4096, 1), "provider_id must be an integer from 0 to 4095, got 4096"),
        (Payload(1, -1), "content_id must be an integer from 0 to 1099511627775, got -1"),
        (Payload(1, 1, 16), "version must be an integer from 0 to 15, got 16"),
        (Payload(1.5, 1), "provider_id must be an integer from 0 to 4095, got 1.5"),
    ],
)
def test_ids_out_of_range_are_refused_with_the_range(payload, message):
    with pytest.raises(ValueError, match=message):
        Codec(Layout(), 128, key=1).encode([payload])


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="72 bits does not fit in 71"):
        Codec(Layout(), 71, key=1)
    with pytest.raises(ValueError, match="got 7"):
        Layout(check_bits=7)
    with pytest.raises(ValueError, match="expected logits"):
        Codec(Layout(), 128, key=1).decode(torch.zeros(1, 127))


@pytest.mark.parametrize("count", [0, 1, 300])
def test_any_number_of_images_is_decoded_in_order(count):
    codec = Codec(Layout(), 128, key=1, list_size=2)
    payloads = [Payload(1, i) for i in range(count)]
    assert [d.payload for d in codec.decode(logits_of(codec.encode(payloads)))] == payloads


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_logits_may_live_on_the_gpu():
    codec = Codec(Layout(), 128, key=1)
    logits = logits_of(codec.encode([Payload(1, 2)])).cuda()
    assert codec.decode(logits)[0].payload == Payload(1, 2)


@pytest.mark.parametrize(
    ("layout", "message_bits", "digest"),
    [
        (Layout(), 128, "4d6136ddac369b32"),
        (Layout(), 512, "73abf599cb058f6d"),
        (Layout(), 1000, "d92996c70f9a5ceb"),
        (Layout(4, 20, 56, 16), 300, "9162b3498d997ac2"),
        (Layout(4, 24, 68, 32, "mac"), 1900, "1bd046ee41d9d4a4"),
        (Layout(2, 0, 46, 8), 100, "43b688c9ecd2cb9d"),
    ],
)
def test_a_mark_embedded_today_is_read_in_ten_years(layout, message_bits, digest):
    (message,) = Codec(layout, message_bits, "a secret").encode([Payload(0, 123_456)])
    assert hashlib.sha256(bytes(message.tolist())).hexdigest()[:16] == digest


def test_the_scale_of_logits_is_found_and_a_little_too_small_rather_than_too_large():
    rng = np.random.default_rng(0)
    for amplitude, noise in ((1.0, 3.0), (1.0, 1.0), (0.2, 0.9)):
        agreement = amplitude + noise * rng.standard_normal((400, 1024))
        wanted = 2 * amplitude / noise**2
        found = cautious_scale(agreement)
        assert 0.8 * wanted < found.mean() < wanted
        assert (found < wanted).mean() > 0.75  # one standard error below is too large once in six times
    assert 0 < cautious_scale(np.ones((1, 72)))[0] < np.log(72)  # all agree: as large as 72 bits can say, not infinite


def test_the_odds_against_a_word_are_those_of_all_other_words():
    codec = Codec(Layout(1, 4, 5, 0), 24, key=3, list_size=16)  # 1,024 words, of which the list holds 16
    every = [Payload(p, c, v) for v in range(2) for p in range(16) for c in range(32)]
    signs = codec.encode(every).numpy() * 2.0 - 1
    rng = np.random.default_rng(0)
    sent = rng.integers(0, len(every), 60)
    logits = torch.from_numpy(signs[sent] + 0.8 * rng.standard_normal((60, 24)))
    log_odds, scale = codec.rivals(logits, [every[i] for i in sent])
    ahead = (limited(logits).numpy() * scale[:, None] / 2) @ signs.T  # (60, 1024): log-likelihoods, up to a constant
    own = ahead[np.arange(60), sent].copy()
    ahead[np.arange(60), sent] = -np.inf
    exact = np.logaddexp.reduce(ahead, axis=1) - own
    assert np.abs(log_odds - exact).max() < 0.7
    assert np.abs(np.mean(log_odds - exact)) < 0.1


def test_rows_of_several_keys_are_decoded_together_as_each_would_be_alone():
    codecs = [Codec(Layout(), 512, f"key {number}", sync_key="shared") for number in range(3)]
    messages = torch.cat([codec.encode([Payload(number, 1000 + number)]) for number, codec in enumerate(codecs)])
    logits = torch.cat([logits_of(messages, noise=1.2, seed=1), torch.zeros(1, 512)])
    rows = [*codecs, codecs[0]]
    together = codecs[1].decode_with(rows, logits)
    assert together == [one.decode(row[None])[0] for one, row in zip(rows, logits, strict=True)]
    assert [one.payload for one in together] == [*(Payload(number, 1000 + number) for number in range(3)), None]
    assert codecs[0].decode_with([], logits[:0]) == []
    with pytest.raises(ValueError, match="expected codecs of one layout, length and list size, got different ones"):
        codecs[0].decode_with([Codec(Layout(), 600, "other")], logits[:1])
    with pytest.raises(ValueError, match=r"expected logits \(1, 512\), got \(2, 512\)"):
        codecs[0].decode_with([codecs[1]], logits[:2])
