import hashlib

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from watermark.codec import Codec, Layout, Payload
from watermark.codec.limiter import limited

NAMED = {"l56": 56, "l64": 64, "l96": 96, "l128": 128, "l256": 256}


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
    layout = instantiate(OmegaConf.load(root / "configs" / "codec" / f"{name}.yaml"))
    assert layout.total_bits == NAMED[name]
    codec = Codec(layout, layout.total_bits + spare, key="a secret")
    payloads = payloads_of(layout, 6)
    decoded = codec.decode(logits_of(codec.encode(payloads)) * 1e-4)
    assert [d.payload for d in decoded] == payloads
    assert all(d.check_ok and d.corrected == 0 for d in decoded)


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
    assert all(torch.equal(d.codeword, m) for d, m in zip(decoded, messages, strict=True))


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
    assert sum(payload is not None for payload in found) <= 2  # a 16-bit check, 32 candidates, 50 words: 0.02 expected
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
        assert not decoded.check_ok
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
    with pytest.raises(ValueError, match="64 bits does not fit in 63"):
        Codec(Layout(), 63, key=1)
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
        (Layout(), 128, "d6510b2c0074948e"),
        (Layout(), 512, "4ad44a544766b4bf"),
        (Layout(), 1000, "01323986956488ca"),
        (Layout(4, 20, 56, 16), 300, "9162b3498d997ac2"),
        (Layout(4, 24, 68, 32, "mac"), 1900, "1bd046ee41d9d4a4"),
        (Layout(2, 0, 46, 8), 100, "43b688c9ecd2cb9d"),
    ],
)
def test_a_mark_embedded_today_is_read_in_ten_years(layout, message_bits, digest):
    (message,) = Codec(layout, message_bits, "a secret").encode([Payload(0, 123_456)])
    assert hashlib.sha256(bytes(message.tolist())).hexdigest()[:16] == digest


def test_a_candidate_far_behind_its_list_is_not_named_whatever_its_check_bits_say():
    codec = Codec(Layout(), 256, 3)
    noise = torch.randn(400, 256, generator=torch.Generator().manual_seed(0))
    words, metrics = codec.code.decode(codec._llr(limited(noise).numpy()))
    valid = codec.layout.checks(words, codec._key)
    shares = np.exp(-metrics.astype(float)) / np.exp(-metrics.astype(float)).sum(1, keepdims=True)
    named = np.array([decoded.payload is not None for decoded in codec.decode(noise)])
    assert np.array_equal(named, (valid & (shares >= 2.0**-8)).any(1))
    assert named.sum() < valid.any(1).sum()  # the rule had something to refuse
