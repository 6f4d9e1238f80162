"""The promise of the detector on what real decoders read from real pictures, over many random keys."""

import math

import pytest
import torch
from scipy.stats import binom

from watermark.codec import Codec, Layout, Payload
from watermark.config import build_named, default_names
from watermark.data.bundled import BundledImages
from watermark.data.synthetic import SyntheticImages
from watermark.detection import Detector, log10_p_value
from watermark.images import to_8bit
from watermark.keys import keyed_signs
from watermark.schemes.base import Readout

KEYS = 4000
KINDS = ("marked", "photo", "flat", "noise", "text")


def pictures():
    """One batch row per kind but "marked", all of one size."""
    photo = BundledImages().load(0)[..., :256, 128:448]
    synthetic = SyntheticImages(count=6, width=320, height=256)
    drawn = {info.image_class: synthetic.load(i) for i, info in enumerate(synthetic.infos)}
    flat = torch.full_like(photo, 128 / 255)
    return {"photo": photo, "flat": flat, "noise": drawn["noise"], "text": drawn["text"]}


@pytest.fixture(scope="module", params=default_names("scheme"))
def readouts(request):
    """What a scheme reads from a picture of each kind; "marked" carries the mark of another code key."""
    scheme, images = build_named("scheme", request.param, key=5).eval(), pictures()
    foreign = Codec(Layout(), scheme.message_bits, "the key of somebody else").encode([Payload(7, 99)])
    with torch.no_grad():
        images["marked"] = to_8bit(scheme.embed(images["photo"], foreign))
        return {kind: scheme.decode(images[kind]) for kind in KINDS}


@pytest.fixture(scope="module")
def words(readouts):
    """What ``KEYS`` keys make of one payload: as ``Codec`` does it, the signs alone decide."""
    bits = readouts["photo"].logits.shape[1]
    word = Codec(Layout(), bits, 0).encode([Payload(1, 2)])
    flips = torch.stack([torch.from_numpy(keyed_signs(key, "codec signs", bits) < 0) for key in range(KEYS)])
    return word ^ flips


def test_false_positives_stay_under_the_promised_rate_on_every_kind_of_picture(readouts, words):
    for kind, readout in readouts.items():
        log10_p = log10_p_value(readout.logits.expand(KEYS, -1), words)
        for rate in (1e-1, 1e-2, 1e-3):
            alarms = int((log10_p <= math.log10(rate)).sum())
            assert alarms <= binom.ppf(1 - 1e-4, KEYS, rate), kind  # by chance more once in 10,000, at just the rate


def test_the_best_of_all_readings_stays_under_the_promised_rate_once_they_are_paid_for(readouts, words):
    for kind, readout in readouts.items():
        others = [] if readout.others is None else [row for row in readout.others[0] if row.any()]
        readings = [readout.logits[0], *others]
        assert len(readings) == int(readout.readings)
        best = torch.stack([log10_p_value(row.expand(400, -1), words[:400]) for row in readings]).amin(0)
        for rate in (1e-1, 1e-2):
            share = float((best + math.log10(len(readings)) <= math.log10(rate)).double().mean())
            assert share <= rate, kind


def test_no_key_but_the_right_one_finds_a_mark(readouts):
    logits = torch.cat([readout.logits for readout in readouts.values()])
    for key in range(20):
        codec = Codec(Layout(), logits.shape[1], key)
        assert not any(found.is_marked for found in Detector(codec).detect(Readout(logits, torch.ones(5))))


def test_the_right_key_finds_it(readouts):
    codec = Codec(Layout(), readouts["marked"].logits.shape[1], "the key of somebody else")
    marked, unmarked = (Detector(codec).detect(readouts[kind])[0] for kind in ("marked", "photo"))
    assert (marked.provider_id, marked.content_id) == (7, 99)
    assert not unmarked.is_marked
