"""Many keys behind one read: who is named, what p pays, and what the shared key alone can do."""

import math

import numpy as np
import pytest
import torch
from skimage import data

from watermark import Keyring, Watermarker
from watermark.codec import Codec, Layout, Payload
from watermark.codec.limiter import limited
from watermark.codec.ranking import Ranking
from watermark.detection import RingDetector
from watermark.schemes.base import Readout

SHARED = {"sync_key": "shared by the consortium", "device": "cpu"}
KEYS = {provider: f"key of {provider}" for provider in range(1, 31)}
PICTURE = data.astronaut()[:256, 64:384]


@pytest.fixture(scope="module")
def ring():
    return Keyring.load("tile_spread", KEYS, **SHARED)


@pytest.fixture(scope="module")
def marked():
    return Watermarker.load("tile_spread", key=KEYS[7], **SHARED).embed(PICTURE, provider_id=7, content_id=11)


def test_the_ring_names_whose_key_proved_the_mark_and_p_pays_for_every_key(ring, marked):
    cut = marked[30:230, 20:250]
    found, alone = ring.detect(cut), Watermarker.load("tile_spread", key=KEYS[7], **SHARED).detect(cut)
    assert (found.is_marked, found.provider_id, found.content_id) == (True, 7, 11)
    assert found.log10_p == pytest.approx(alone.log10_p + math.log10(len(KEYS)))


def test_a_key_that_is_not_in_the_ring_is_not_named(marked):
    others = {provider: key for provider, key in KEYS.items() if provider != 7}
    assert not Keyring.load("tile_spread", others, **SHARED).detect(marked).is_marked


def test_whose_key_it_is_counts_and_not_what_the_payload_claims(ring):
    """Who holds the key of 9 may write "7" into a payload; he cannot prove it."""
    posing = Watermarker.load("tile_spread", key=KEYS[9], **SHARED).embed(PICTURE, provider_id=7, content_id=11)
    assert ring.detect(posing).provider_id == 9


def test_the_shared_key_alone_proves_nothing_and_forges_nothing(ring):
    """It says where the mark lies, and nothing about the signs: what is written with it is noise to every key."""
    forger = Watermarker.load("tile_spread", key="the forger's own", target_psnr=38, **SHARED)
    forged = forger.embed(PICTURE, provider_id=7, content_id=11)
    found = ring.detect(forged)
    assert not found.is_marked
    assert found.provider_id is None


def test_without_a_shared_key_the_marks_are_those_of_today():
    one, other = (Watermarker.load("dwt_dct", key="one", **more) for more in ({}, {"sync_key": None}))
    assert np.array_equal(one.embed(PICTURE, 7, 11), other.embed(PICTURE, 7, 11))
    ring = Keyring.load("dwt_dct", {7: "one", 9: "two"})
    found = ring.detect(one.embed(PICTURE, 7, 11))
    assert (found.provider_id, found.content_id) == (7, 11)
    assert not ring.detect(PICTURE).is_marked


def test_the_shared_key_must_be_another_than_the_provider_s():
    with pytest.raises(ValueError, match="sync_key must be another secret than the provider's key"):
        Watermarker.load("dwt_dct", key="one", sync_key="one")
    with pytest.raises(ValueError, match="sync_key must be another secret"):
        Keyring.load("dwt_dct", {1: "one", 2: "two"}, sync_key="two")


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({}, "at least one provider, got none"),
        ({4096: "a"}, "an integer from 0 to 4095, got 4096"),
        ({1: "a", 2: "a"}, "providers 1 and 2 have the same key"),
    ],
)
def test_a_ring_that_cannot_be_is_refused(keys, reason):
    with pytest.raises(ValueError, match=reason):
        Keyring.load("dwt_dct", keys)


def codecs(count, layout=None, bits=1024):
    return {i: Codec(layout or Layout(), bits, f"key {i}", sync_key="shared") for i in range(count)}


def received(message, z, rng):
    """Logits of a message whose soft correlation is about ``z``."""
    share = z / message.shape[-1] ** 0.5
    return (message.double() * 2 - 1) * share + torch.from_numpy(
        rng.standard_normal(message.shape) * (1 - share**2) ** 0.5
    )


@pytest.mark.parametrize(("layout", "bits"), [(Layout(), 1024), (Layout(), 448), (Layout(4, 20, 56, 16), 1024)])
def test_a_faint_mark_s_key_is_among_the_likeliest_of_300(layout, bits):
    rng, ring = np.random.default_rng(3), codecs(300, layout, bits)
    ranking, found = Ranking(list(ring.values()), list(ring)), 0
    for key in range(0, 300, 15):
        readings = torch.cat(
            [torch.from_numpy(rng.standard_normal((3, bits))), received(ring[key].encode([Payload(key, 99)]), 14, rng)]
        )
        found += (3, key) in ranking.best(limited(readings).numpy(), 16)
    assert found >= 18  # of 20; decoding itself is about to fail here


def test_pairs_are_the_shared_key_s_and_what_they_carry_is_the_key_s():
    one, two, stranger = (
        Codec(Layout(), 448, key, sync_key=sync) for key, sync in (("a", "s"), ("b", "s"), ("a", "t"))
    )
    assert sorted(one.places) == list(range(448))
    assert (one.places != two.places).mean() > 0.9
    with pytest.raises(ValueError, match="expected codecs of one sync_key"):
        Ranking([one, stranger], [0, 1])


def test_false_positives_of_a_ring_stay_under_the_promised_rate():
    """Every key set is another draw of coins; a readout of a foreign mark must be nobody's."""
    rng, rates, hits, trials = np.random.default_rng(0), (0.3, 0.1), [0, 0], 40
    small = Layout(version_bits=1, provider_bits=6, content_bits=2, check_bits=4)
    for trial in range(trials):
        ring = {i: Codec(small, 128, f"{trial} {i}", sync_key="shared") for i in range(12)}
        foreign = Codec(small, 128, "foreign", sync_key="shared").encode([Payload(3, 1)])
        found = RingDetector(ring, 0.3).detect(Readout.of(received(foreign, 9, rng)))[0]
        hits = [count + (found.log10_p <= math.log10(rate)) for count, rate in zip(hits, rates, strict=True)]
    assert all(count <= rate * trials + 2 * (rate * trials) ** 0.5 for count, rate in zip(hits, rates, strict=True))
