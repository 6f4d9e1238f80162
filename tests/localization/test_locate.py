"""Where the mark is: maps of pictures that were edited in part, and what they promise."""

import io
import math

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from watermark import Keyring, Watermarker
from watermark.localization.locator import enlarged
from watermark.localization.parting import LOOSE, border_price, parted
from watermark.localization.regions import SIDES, Regions, box_sum, threshold

COFFEE = Image.fromarray(data.coffee()).resize((384, 256), Image.Resampling.LANCZOS)
ROCKET = Image.fromarray(data.astronaut()).resize((384, 256), Image.Resampling.LANCZOS)
BOX = (slice(90, 210), slice(200, 340))  # 15 % of the picture
SHARED = {"sync_key": "shared", "device": "cpu"}


@pytest.fixture(scope="module")
def marker():
    return Watermarker.load("tile_spread", key="a secret", target_psnr=42, **SHARED)


@pytest.fixture(scope="module")
def pasted(marker):
    picture = np.array(marker.embed(COFFEE, provider_id=7, content_id=11))
    picture[BOX] = np.asarray(ROCKET)[BOX]
    return Image.fromarray(picture)


def truth():
    there = np.zeros((256, 384), dtype=np.uint8)
    there[BOX] = 255
    return Image.fromarray(there)


def jpeg(picture, quality=85):
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def from_aside(picture):
    """In perspective, black around it."""
    corners = [(0, 0, 384, 0, 384, 256, 0, 256), (20, 15, 370, 0, 384, 245, 0, 256)]
    back = cv2.getPerspectiveTransform(*(np.float32(one).reshape(4, 2) for one in corners))
    drawn = cv2.warpPerspective(np.asarray(picture), back, picture.size, flags=cv2.INTER_CUBIC)
    return Image.fromarray(drawn)


@pytest.mark.parametrize(
    ("change", "least"),
    [
        (lambda picture: picture, 0.9),
        (lambda picture: jpeg(picture) if picture.mode == "RGB" else picture, 0.7),
        (lambda picture: picture.rotate(4, Image.Resampling.BICUBIC).crop((30, 24, 360, 236)), 0.75),
        (lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((499, 333)), 0.85),
        (from_aside, 0.75),
    ],
    ids=["untouched", "JPEG 85", "rotation and crop", "flip and scale", "perspective"],
)
def test_a_pasted_part_is_found_whatever_happened_to_the_picture_after_it(marker, pasted, change, least):
    picture, wanted = change(pasted), np.asarray(change(truth())) > 127
    where = marker.locate(picture)
    assert where.marked.shape == where.score.shape == wanted.shape
    assert (where.marked.astype(int) + where.edited + where.unknown == 1).all()
    both = (where.edited & wanted).sum()
    assert 2 * both / (where.edited.sum() + wanted.sum()) >= least
    assert where.marked[wanted].mean() < 0.03
    assert where.marked[~wanted].mean() > 0.7
    assert where.detection.content_id == 11


def test_what_one_colour_covers_is_edited_and_after_compression_unknown(marker, pasted):
    picture = np.array(pasted)
    picture[BOX] = 0
    inside = (slice(BOX[0].start + 16, BOX[0].stop - 16), slice(BOX[1].start + 16, BOX[1].stop - 16))
    for seen, said in ((Image.fromarray(picture), "edited"), (jpeg(Image.fromarray(picture), 50), "unknown")):
        assert getattr(marker.locate(seen, others=False), said)[inside].mean() > 0.95


@pytest.mark.parametrize("background", [238, 255])
@pytest.mark.parametrize("quality", [None, 90], ids=["as marked", "JPEG 90"])
def test_a_picture_on_a_page_is_marked_and_the_empty_page_around_it_is_not(marker, background, quality):
    """Most of the page shows nothing at all; what tiles usually hold is asked of the others."""
    picture = marker.embed(COFFEE, provider_id=7, content_id=11)
    page, part = np.full((768, 800, 3), background, dtype=np.uint8), (slice(120, 376), slice(40, 424))
    page[part] = np.asarray(jpeg(picture, quality) if quality else picture)
    where = marker.locate(Image.fromarray(page))
    around = np.ones(page.shape[:2], dtype=bool)
    around[104:392, 24:440] = False  # the picture, and two tiles beside it
    assert where.marked[part].mean() > 0.8
    assert where.edited[part].mean() < 0.05
    assert not where.marked[around].any()
    assert where.others == ()


def test_no_proof_no_map(marker):
    where = marker.locate(np.asarray(COFFEE))
    assert where.unknown.all()
    assert where.score.max() == 0


def test_an_untouched_picture_is_marked_nearly_everywhere_and_edited_nowhere(marker):
    where = Keyring.load("tile_spread", {7: "a secret", 9: "other"}, **SHARED).locate(
        marker.embed(COFFEE, provider_id=7, content_id=11)
    )
    assert where.detection.provider_id == 7
    assert where.shares["marked"] > 0.9
    assert where.shares["edited"] < 0.01


def test_what_cannot_be_located_is_said(marker):
    with pytest.raises(ValueError, match=r"expected a scheme whose marks can be located .*, got DwtDct"):
        Watermarker.load("dwt_dct", key="a").locate(np.asarray(COFFEE))
    with pytest.raises(ValueError, match=r"false_alarm_rate must be above 0 and at most 0.1, got 0.5"):
        marker.locate(np.asarray(COFFEE), false_alarm_rate=0.5)


def test_regions_without_the_mark_reach_the_threshold_as_seldom_as_promised():
    """Whatever the tiles hold, here heavy tails and neighbours alike: the signs of the message are coins to them."""
    generator = torch.Generator().manual_seed(0)
    bits = torch.randn(256, 24, 36, generator=generator) ** 3
    bits = box_sum(bits, 3)
    for rate in (1e-1, 1e-2):
        reached = total = 0
        for _ in range(40):
            signs = torch.randint(0, 2, (256,), generator=generator) * 2.0 - 1
            regions = Regions(bits.unbind(1), signs, (24, 36))
            for side in SIDES[:3]:
                told, deviation = regions.scores(side)
                reached += int((told / deviation >= threshold(rate)).sum())
                total += told.numel()
        assert reached <= rate * total


def test_the_threshold_is_the_smaller_of_two_proven_ones():
    for rate in (0.1, 1e-2, 1e-3, 1e-6):
        gauss = 0.5 * math.erfc(threshold(rate) / 2**0.5) / (2 * math.erfc(1.0))
        assert min(math.exp(-(threshold(rate) ** 2) / 2), gauss) == pytest.approx(rate, rel=1e-6)


def test_the_cut_is_the_likeliest_map_and_specks_are_none():
    evidence = np.full((20, 30), 0.5)
    evidence[5:14, 8:20] = -0.8
    evidence[2, 2] = -6.0
    labels = parted(evidence, np.full((20, 30), 0.6))
    assert not labels[6:13, 9:19].any()
    assert labels[:4].all()
    assert labels[16:].all()


def test_compression_takes_the_mark_from_quiet_places_and_is_not_taken_for_an_edit(marker):
    """Quiet tiles should be the loudest in the mark and after JPEG say nothing; they must not outvote the others."""
    cat = Image.fromarray(data.chelsea()).resize((384, 256), Image.Resampling.LANCZOS)
    picture = np.array(marker.embed(cat, provider_id=7, content_id=11))
    picture[BOX] = np.asarray(ROCKET)[BOX]
    file, wanted = io.BytesIO(), np.asarray(truth()) > 127
    Image.fromarray(picture).save(file, "JPEG", quality=75)
    where = marker.locate(Image.open(file).convert("RGB"))
    assert 2 * (where.edited & wanted).sum() / (where.edited.sum() + wanted.sum()) > 0.8
    assert where.edited[~wanted].mean() < 0.02
    assert where.marked[wanted].mean() < 0.09


def test_a_grey_picture_says_nothing_in_colour_and_is_mapped_by_its_luma(marker):
    grey = Image.fromarray(data.camera()).resize((256, 256), Image.Resampling.LANCZOS).convert("RGB")
    where = marker.locate(marker.embed(grey, provider_id=7, content_id=11))
    assert where.shares["marked"] > 0.9
    assert where.shares["edited"] < 0.02


def test_tiles_lie_where_they_were_read_though_the_last_ones_hang_over_the_border():
    low, right = torch.zeros(4, 5), torch.zeros(4, 5)
    low[3], right[:, 4] = 1, 1
    assert enlarged(low, 1.0, (27, 37)).shape == (27, 37)
    assert (enlarged(low, 1.0, (27, 37))[:, 0] > 0.5).nonzero()[0] == 24
    assert (enlarged(right, 1.0, (27, 37))[0] > 0.5).nonzero()[0] == 32
    assert (enlarged(low, 2.0, (54, 74))[:, 0] > 0.5).nonzero()[0] == 48


def test_a_region_reaches_half_its_side(marker, pasted):
    where = marker.locate(pasted, others=False)
    assert set(np.unique(where.reach.round())) <= set(range(12, 69))
    assert where.reach.min() < 40
    assert where.others == ()


def test_where_tiles_say_little_a_border_costs_little():
    """A busy part pasted into a quiet picture says little: the price of its surroundings would hide it."""
    wave = torch.full((40, 50), 1.2)
    wave[10:30, 15:35] = 0.35
    price = border_price(wave)
    assert price[16, 20] == pytest.approx(0.2695)
    assert price[2, 2] == pytest.approx(0.6)
    generator, edited = np.random.default_rng(2), (wave < 1).numpy()
    found = []
    for _ in range(8):
        score = np.where(edited, 0, 1.2) + generator.normal(0, 1, edited.shape)
        own = wave.numpy() * score - wave.numpy() ** 2 / 2
        for each in (price, np.full_like(price, 0.6)):
            labels = ~parted(own, each)
            found.append(2 * (labels & edited).sum() / (labels.sum() + edited.sum()))
    assert np.mean(found[::2]) > 0.5
    assert np.mean(found[::2]) > np.mean(found[1::2]) + 0.3


def test_an_edit_whose_border_costs_more_than_it_says_is_found_and_noise_makes_none():
    """Tiles of a faint mark score .36 standard deviations."""
    generator, edited = np.random.default_rng(3), np.zeros((64, 96), dtype=bool)
    edited[20:45, 30:55] = True
    price = border_price(torch.full((64, 96), 0.36))
    fitting, alone, false = [], [], []
    for _ in range(8):
        noise = generator.normal(0, 1, edited.shape)
        own = 0.36 * (0.36 * ~edited + noise) - 0.36**2 / 2
        for values, each in ((fitting, price), (alone, price / LOOSE)):
            labels = ~parted(own, each)
            values.append(2 * (labels & edited).sum() / (labels.sum() + edited.sum()))
        false.append((~parted(0.36 * (0.36 + noise) - 0.36**2 / 2, price)).mean())
    assert min(fitting) > 0.5
    assert np.mean(fitting) > 0.7
    assert np.mean(fitting) > np.mean(alone)
    assert max(false) < 0.01
