"""Two marks in one collage: both are found, each with its part."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from skimage import data

from watermark import Keyring, Watermarker
from watermark.localization import is_another, may_hold_more
from watermark.localization.drawing import ANOTHER, COVER, drawn

KEYS = {7: "key of 7", 9: "key of 9"}
SIDE = 288


@pytest.mark.parametrize("sync_key", ["shared", None])
def test_both_marks_of_a_collage_are_found_each_with_its_part(sync_key):
    collage = np.zeros((SIDE, 2 * SIDE, 3), dtype=np.uint8)
    for place, (picture, provider) in enumerate(((data.astronaut(), 7), (data.coffee()[:, :400], 9))):
        marker = Watermarker.load("tile_spread", key=KEYS[provider], sync_key=sync_key, device="cpu")
        small = Image.fromarray(picture).resize((SIDE, SIDE))
        collage[:, place * SIDE : (place + 1) * SIDE] = marker.embed(np.asarray(small), provider, provider)
    where = Keyring.load("tile_spread", KEYS, sync_key=sync_key, device="cpu").locate(collage)
    assert {where.detection.content_id, *(other.detection.content_id for other in where.others)} == {7, 9}
    assert len(where.others) == 1
    for found in (where, *where.others):
        own, foreign = np.split(found.marked, 2, axis=1)[:: 1 if found.detection.provider_id == 7 else -1]
        assert own.mean() > 0.8
        assert foreign.mean() < 0.02
    page = np.asarray(drawn(Image.fromarray(collage), where), dtype=float)
    inner = np.zeros(collage.shape[:2], dtype=bool)
    inner[40:-40, 40:-40] = True
    grey = np.asarray(Image.fromarray(collage).convert("L"), dtype=float)[..., None]
    yellow = grey + COVER["marked"] * (np.array(ANOTHER) - grey)
    hit = inner & where.others[0].marked & ~where.marked
    assert (np.abs(page - yellow).max(-1)[hit] <= 1).mean() > 0.9


def test_what_smoothing_left_of_a_mark_is_none_of_its_own_and_another_mark_is():
    def found(content, share, is_marked=True):
        detection = SimpleNamespace(is_marked=is_marked, provider_id=7, content_id=content)
        return SimpleNamespace(detection=detection, marked=np.arange(10) < 10 * share)

    first = found(1, 0.3)
    assert not is_another(found(1, 0), [first])  # the same IDs, and nowhere
    assert is_another(found(1, 0.2), [first])  # the same picture twice on a page
    assert is_another(found(2, 0), [first])
    assert not is_another(found(2, 0.2, is_marked=False), [first])
    assert may_hold_more(first)
    assert not may_hold_more(found(1, 0))  # nothing to smooth away: the same would be read again
