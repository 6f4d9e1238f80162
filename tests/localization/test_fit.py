"""A map against the truth, counted by hand; and how loud a mark should be, learnt from a picture of known gains."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from watermark.detection import Detection
from watermark.localization import Localization
from watermark.localization.fit import fit, within
from watermark.localization.gain import tile_gain
from watermark.localization.regions import box_sum, threshold

SIZE = (80, 100)


def drawn(marked=None, edited=None, score=0.0, reach=12.0):
    no = np.zeros(SIZE, dtype=bool)
    marked, edited = (no if part is None else part for part in (marked, edited))
    where = Localization.nowhere(SIZE, 0.01, Detection(True, -9.0))
    plane = np.full(SIZE, 1.0, dtype=np.float32)
    unknown = ~marked & ~edited
    return replace(where, marked=marked, edited=edited, unknown=unknown, score=score * plane, reach=reach * plane)


def box(top, bottom, left, right):
    part = np.zeros(SIZE, dtype=bool)
    part[top:bottom, left:right] = True
    return part


NOTHING = np.zeros(SIZE, dtype=bool)
PART = box(10, 70, 20, 80)  # 3,600 of 8,000 px


def test_shares_are_those_counted_by_hand():
    said = box(10, 70, 30, 90)  # a strip of 10 px missed, one of 10 px too much
    found = fit(drawn(marked=box(0, 80, 0, 25), edited=said), PART, NOTHING)
    assert found.area == 3600 / 8000
    assert found.f1 == pytest.approx(2 * 3000 / 7200)
    assert found.iou == pytest.approx(3000 / 4200)
    assert found.edited_marked == pytest.approx(300 / 3600)
    assert found.kept_edited == pytest.approx(600 / 4400)
    assert found.unknown == pytest.approx((8000 - 3600 - 2000) / 8000)


def test_alarms_count_regions_that_lie_wholly_in_the_part():
    """A region of 12 px to each side, with a tile to spare, has its middle 20 px or more from the border."""
    assert within(PART, np.full(SIZE, 12, dtype=np.float32)).sum() == 20 * 20
    at_the_border = drawn(marked=box(0, 80, 0, 40))
    assert fit(at_the_border, PART, NOTHING).alarms == 0
    assert fit(at_the_border, PART, NOTHING).edited_marked == 20 / 60
    assert fit(drawn(marked=box(0, 80, 0, 50)), PART, NOTHING).alarms == 0.5
    assert fit(drawn(reach=40.0), PART, NOTHING).alarms is None


def test_scores_alone_are_held_against_both_rates():
    high = fit(drawn(score=threshold(1e-2) + 0.01), PART, NOTHING)
    assert high.reached == (1.0, 0.0)
    assert high.alarms == 0.0  # the map did not call them marked
    assert fit(drawn(score=threshold(1e-3) + 0.01), PART, NOTHING).reached == (1.0, 1.0)


def test_what_is_none_of_the_picture_counts_nowhere():
    around = box(0, 80, 0, 10)
    found = fit(drawn(edited=PART | around), PART, around)
    assert (found.f1, found.kept_edited) == (1.0, 0.0)
    assert found.area == 3600 / 7200


def test_an_untouched_picture_has_no_f1():
    found = fit(drawn(edited=box(0, 8, 0, 8)), NOTHING, NOTHING)
    assert (found.f1, found.iou, found.alarms, found.edited_marked) == (None, None, None, None)
    assert found.kept_edited == 64 / 8000
    assert fit(drawn(edited=~NOTHING), ~NOTHING, NOTHING).f1 == 1.0
    with pytest.raises(ValueError, match=r"expected a truth of the map's size \(80, 100\), got \(3, 3\)"):
        fit(drawn(), PART[:3, :3], NOTHING[:3, :3])


def tiles(gain_of, edited, generator):
    """A grid whose tiles should score .2 to 12 and do so times their gain, but where they are ``edited``."""
    predicted = (torch.randn(48, 72, generator=generator) * 1.1 + 0.3).exp().clamp(0.2, 12)
    told = gain_of(predicted) * predicted * ~edited + torch.randn(48, 72, generator=generator)
    return told, predicted


def gains(told, response, swing=None, empty=None):
    """Every tile as loud as the next beside the mark."""
    alone = torch.ones_like(told)
    swing = torch.full_like(told, 10.0) if swing is None else swing
    empty = torch.zeros_like(told, dtype=torch.bool) if empty is None else empty
    return tile_gain(told, alone, response, swing, empty, (box_sum(told, 5), box_sum(alone, 5).sqrt()), 5)


def test_gains_are_found_though_a_third_is_edited_and_compression_took_the_loudest():
    edited = torch.zeros(48, 72, dtype=torch.bool)
    edited[:, 48:] = True
    told, response = tiles(lambda p: 0.5 * p**-0.5, edited, torch.Generator().manual_seed(1))
    gain = gains(told, response)
    for low, high in ((0.6, 1.5), (1.5, 3.2), (4.5, 6.5), (6.5, 12)):
        here = (response > low) & (response < high)
        assert gain[here].mean() == pytest.approx(float((0.5 * response[here] ** -0.5).mean()), abs=0.07)


def test_an_edit_cannot_teach_the_tiles_that_only_it_has_to_be_silent():
    """Something smooth pasted over a busy picture: nobody has seen how loud the mark would be there."""
    edited = torch.zeros(48, 72, dtype=torch.bool)
    edited[10:34, 20:50] = True
    told, response = tiles(lambda p: 0.8 + 0 * p, edited, torch.Generator().manual_seed(2))
    busy = response.clamp(max=2.0)
    noise = torch.randn(48, 72, generator=torch.Generator().manual_seed(3))
    told, response = torch.where(edited, told, 0.8 * busy + noise), torch.where(edited, 9.0, busy)
    wanted = gains(told, response) * response
    assert 0.8 * 2 < wanted[edited].mean() < 0.8 * 9


def test_flat_tiles_from_which_compression_took_the_mark_say_nothing_though_they_should_be_the_loudest():
    generator = torch.Generator().manual_seed(4)
    flat = torch.zeros(48, 72, dtype=torch.bool)
    flat[:16] = True
    told, response = tiles(lambda p: 0.4 + 0 * p, flat, generator)
    response = torch.where(flat, 8.0, response.clamp(max=4))
    gain = gains(told, response, torch.where(flat, 0.1, 8.0))
    assert (gain * response)[flat].mean() < 0.35
    assert gain[~flat].mean() == pytest.approx(0.4, abs=0.1)


@pytest.mark.parametrize(("kept", "said"), [(0.8, 3.0), (0.15, 0.0)])
def test_empty_tiles_speak_only_where_nothing_was_compressed(kept, said):
    empty = torch.zeros(48, 72, dtype=torch.bool)
    empty[10:20, 10:20] = True
    told, response = tiles(lambda p: kept + 0 * p, empty, torch.Generator().manual_seed(5))
    wanted = gains(told, response, empty=empty) * response
    assert wanted[empty].min() >= said
    assert (wanted[empty].max() > 0) == (said > 0)
