"""Every file in configs/scheme keeps the contract of a scheme: adding the file adds it here."""

import pytest
import torch

from watermark.config import build_named, default_names
from watermark.images import to_8bit
from watermark.metrics.psnr import psnr
from watermark.schemes.base import Scheme
from watermark.watermarker import Watermarker

NAMES = default_names("scheme")


def pictures(count=1, height=208, width=256, seed=0):
    """Smooth with some texture, so that every scheme finds room."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 9, 11, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=False)
    return to_8bit((0.5 * smooth + 0.2 + 0.1 * torch.rand(count, 3, height, width, generator=generator)).clamp(0, 1))


@pytest.fixture(scope="module", params=NAMES)
def scheme(request) -> Scheme:
    return build_named("scheme", request.param, key=11).eval()


def message(scheme, count=1):
    return torch.rand(count, scheme.message_bits, generator=torch.Generator().manual_seed(1)) > 0.5


@torch.no_grad()
def test_embedding_keeps_shape_and_range_and_never_writes_into_its_input(scheme):
    images = pictures(2)
    before = images.clone()
    marked = scheme.embed(images, message(scheme, 2))
    assert torch.equal(images, before)
    assert marked.shape == images.shape
    assert marked.dtype == torch.float32
    assert marked.amin() >= 0
    assert marked.amax() <= 1


@torch.no_grad()
def test_the_same_key_and_message_give_the_same_pixels_and_logits(scheme):
    images, sent = pictures(), message(scheme)
    marked = scheme.embed(images, sent)
    assert torch.equal(marked, scheme.embed(images, sent))
    assert torch.equal(scheme.decode(marked).logits, scheme.decode(marked).logits)


@torch.no_grad()
def test_readouts_are_batched_finite_and_count_every_reading_that_they_offer(scheme):
    readout = scheme.decode(pictures(2))
    assert readout.logits.shape == (2, scheme.message_bits)
    assert torch.isfinite(readout.logits).all()
    assert readout.readings.shape == (2,)
    assert readout.readings.dtype == torch.int64
    others = 0 if readout.others is None else readout.others.ne(0).any(2).sum(1)
    assert torch.equal(readout.readings, torch.ones_like(readout.readings) + others)


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (17, 16), (40, 700)])
def test_what_an_attack_left_of_a_picture_is_never_an_error(scheme, size):
    readout = scheme.decode(torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(3)))
    assert torch.isfinite(readout.logits).all()


@torch.no_grad()
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_flat_pictures_are_marked_and_read_without_failing(scheme, level):
    flat = torch.full((1, 3, 128, 160), level)
    marked = scheme.embed(flat, message(scheme))
    assert torch.isfinite(marked).all()
    assert torch.isfinite(scheme.decode(flat).logits).all()


@torch.no_grad()
def test_target_psnr_is_met(scheme):
    if scheme.target_psnr is None:
        pytest.skip("the quality is set another way")
    images = pictures()
    marked = to_8bit(scheme.embed(images, message(scheme)))
    assert abs(float(psnr(marked, images)) - scheme.target_psnr) < 0.5


def test_a_picture_below_the_minimum_is_refused_in_words(scheme):
    with pytest.raises(ValueError, match=f"at least {scheme.min_size} px a side, got {scheme.min_size - 1}x400"):
        scheme.embed(torch.rand(1, 3, 400, scheme.min_size - 1), message(scheme))


def test_a_message_of_another_shape_is_refused_in_words(scheme):
    with pytest.raises(ValueError, match=r"expected a bool message \(1, \d+\)"):
        scheme.embed(pictures(), message(scheme)[:, :-1])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("layout", ["l64", "l96"])
def test_every_scheme_carries_every_default_layout_through_saving(name, layout):
    marker = Watermarker.load(name, key="contract", layout=layout, device="cpu")
    bits = marker.codec.layout
    ids = (2**bits.provider_bits - 1, 2**bits.content_bits - 3)
    images = pictures(height=384, width=448, seed=5)
    found = marker.detect(to_8bit(marker.embed(images, *ids)))[0]
    assert found.is_marked
    assert (found.provider_id, found.content_id) == ids
    assert not marker.detect(images)[0].is_marked


@pytest.mark.gpu
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cpu_and_gpu_read_the_same_mark(name):
    marker = Watermarker.load(name, key="contract")
    images = pictures(height=384, width=448, seed=5)
    marked = to_8bit(marker.embed(images, 1, 2))
    found = marker.detect(marked.cuda())[0]
    assert (found.provider_id, found.content_id) == (1, 2)
