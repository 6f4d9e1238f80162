"""``target_evidence``: every picture only as strongly marked as its message needs after half size and JPEG 50."""

import math

import pytest
import torch
from PIL import Image
from skimage import data

from watermark.codec import Payload
from watermark.images import to_8bit
from watermark.metrics.psnr import psnr
from watermark.pixels import to_tensor
from watermark.schemes.base import Readout
from watermark.schemes.lattice.evidence import chain, decades
from watermark.watermarker import Watermarker

PICTURE = to_tensor(Image.fromarray(data.astronaut()[:384, 60:444]))


def test_a_picture_is_marked_as_faintly_as_reaches_the_evidence():
    plain = Watermarker.load("tile_spread", key="k", device="cpu", target_psnr=38.0)
    reached = [float(psnr(to_8bit(plain.embed(PICTURE, 7, 11)), PICTURE))]
    for goal in (40.0, 20.0):
        marker = Watermarker.load("tile_spread", key="k", device="cpu", target_psnr=38.0, target_evidence=goal)
        marked = to_8bit(marker.embed(PICTURE, 7, 11))
        reached.append(float(psnr(marked, PICTURE)))
        after = marker.read(chain(marked))
        assert goal <= float(decades(after, marker.codec.encode([Payload(7, 11)]))) < 2 * goal
        assert marker.detector.detect(after)[0].content_id == 11
    assert reached[0] + 0.7 < reached[1] < reached[2] - 0.7


def test_a_picture_that_cannot_reach_it_is_marked_as_strongly_as_may_be():
    small = PICTURE[..., 100:196, 100:196]
    marked = [
        Watermarker.load("tile_spread", key="k", device="cpu", **settings).embed(small, 7, 11)
        for settings in ({}, {"target_evidence": 200.0})
    ]
    assert torch.equal(*marked)


def test_decades_of_signs_that_all_agree_are_those_of_as_many_coins():
    signs = torch.rand(1, 1024, generator=torch.Generator().manual_seed(1)) > 0.5
    soft = signs.float() * 2 - 1
    assert float(decades(Readout.of(soft), signs)) == pytest.approx(1024 * math.log10(2), rel=0.001)
    assert float(decades(Readout.of(-soft), signs)) == 0
    assert float(decades(Readout.of(-soft, soft[:, None]), signs)) > 300  # another reading is right


@pytest.mark.parametrize("wrong", [0, 500, "much"])
def test_an_evidence_out_of_range_is_one_line(wrong):
    with pytest.raises(ValueError, match=f"target_evidence must be between 1 and 250 decades, got {wrong!r}"):
        Watermarker.load("learned", key="k", target_evidence=wrong)
