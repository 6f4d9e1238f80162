import io

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from watermark.images import to_8bit
from watermark.metrics.psnr import psnr
from watermark.pixels import to_tensor
from watermark.schemes.dwt_dct import DwtDct
from watermark.schemes.dwt_dct_svd import DwtDctSvd
from watermark.transforms.resample import resize

BITS = 128
SCHEMES = [DwtDct, DwtDctSvd]
COFFEE = to_tensor(Image.fromarray(data.coffee()))


def message(count=1, seed=0):
    return torch.rand(count, BITS, generator=torch.Generator().manual_seed(seed)) > 0.5


def errors(scheme, images, sent):
    return int(((scheme.decode(images).logits > 0) != sent).sum())


def jpeg(images, quality):
    file = io.BytesIO()
    Image.fromarray((images[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)).save(
        file, "JPEG", quality=quality
    )
    return to_tensor(Image.open(file))


@pytest.mark.parametrize("scheme_class", SCHEMES)
def test_every_bit_survives_saving_and_ordinary_jpeg(scheme_class):
    scheme, sent = scheme_class(BITS, key=5), message()
    marked = to_8bit(scheme.embed(COFFEE, sent))
    assert errors(scheme, marked, sent) == 0
    assert errors(scheme, jpeg(marked, 70), sent) == 0


@pytest.mark.parametrize("scheme_class", SCHEMES)
@pytest.mark.parametrize("size", [(200, 300), (512, 512), (517, 731)])
def test_the_decoder_need_not_be_told_the_original_size(scheme_class, size):
    scheme, sent = scheme_class(BITS, key=5), message()
    marked = to_8bit(scheme.embed(COFFEE, sent))
    assert errors(scheme, resize(marked, size).clamp(0, 1), sent) <= 2


@pytest.mark.parametrize("scheme_class", SCHEMES)
@pytest.mark.parametrize("size", [(96, 96), (101, 97), (96, 300), (257, 129)])
def test_any_size_and_aspect_is_marked_and_read(scheme_class, size):
    scheme, sent = scheme_class(8, key=1, target_psnr=34), message()[:, :8]
    picture = resize(COFFEE, size).clamp(0, 1)
    marked = scheme.embed(picture, sent)
    assert marked.shape == picture.shape
    assert errors(scheme, marked, sent) == 0


@pytest.mark.parametrize("scheme_class", SCHEMES)
@pytest.mark.parametrize("target", [38, 42, 46])
def test_target_psnr_is_met_after_rounding(scheme_class, target):
    marked = to_8bit(scheme_class(BITS, key=1, target_psnr=target).embed(COFFEE, message()))
    assert abs(float(psnr(marked, COFFEE)) - target) < 0.3


@pytest.mark.parametrize("scheme_class", SCHEMES)
def test_a_larger_step_is_more_visible_and_takes_the_place_of_target_psnr(scheme_class):
    qualities = [
        float(psnr(scheme_class(BITS, key=1, step=step, target_psnr=42).embed(COFFEE, message()), COFFEE))
        for step in (20, 60, 180)
    ]
    assert qualities[0] > qualities[1] + 5 > qualities[2] + 10


@pytest.mark.parametrize("scheme_class", SCHEMES)
def test_a_batch_reads_like_its_pictures_one_by_one(scheme_class):
    scheme, sent = scheme_class(BITS, key=5), message(2)
    pictures = torch.cat([COFFEE, COFFEE.flip(3)])
    marked = scheme.embed(pictures, sent)
    alone = torch.cat([scheme.embed(pictures[i : i + 1], sent[i : i + 1]) for i in range(2)])
    torch.testing.assert_close(marked, alone, atol=1e-4, rtol=0)
    assert errors(scheme, marked, sent) == 0


@pytest.mark.parametrize("scheme_class", SCHEMES)
def test_another_key_reads_noise(scheme_class):
    sent = message()
    marked = scheme_class(BITS, key=5).embed(COFFEE, sent)
    assert BITS // 4 < errors(scheme_class(BITS, key=6), marked, sent) < 3 * BITS // 4


@pytest.mark.parametrize("scheme_class", SCHEMES)
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_flat_black_and_white_pictures_are_marked_without_failing(scheme_class, level):
    flat = torch.full((1, 3, 96, 96), level)
    marked = scheme_class(BITS, key=1).embed(flat, message())
    assert torch.isfinite(marked).all()
    assert float(psnr(marked, flat)) > 36  # in black a singular value can only go up: 42 dB less at most 6


def test_settings_out_of_range_say_what_was_expected_and_given():
    with pytest.raises(ValueError, match=r"at most 4096 .* got 5000"):
        DwtDct(5000, key=0)
    with pytest.raises(ValueError, match="between 1 and 1000 8-bit levels, got -3"):
        DwtDctSvd(64, key=0, step=-3)
    with pytest.raises(ValueError, match="between 20 and 60 dB, got 90"):
        DwtDct(64, key=0, target_psnr=90)
    with pytest.raises(ValueError, match="at least 96 px a side, got 16x120"):
        DwtDct(64, key=0).embed(torch.rand(1, 3, 120, 16), message()[:, :64])
