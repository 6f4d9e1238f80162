from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from watermark import Watermarker
from watermark.codec import Payload
from watermark.images import to_8bit
from watermark.metrics.psnr import psnr
from watermark.pixels import to_tensor
from watermark.schemes.dwt_dct import DwtDct
from watermark.schemes.learned import Learned
from watermark.schemes.tile_spread import TileSpread

ASTRONAUT = Image.fromarray(data.astronaut())


@pytest.fixture(scope="module", params=["dwt_dct", "dwt_dct_svd"])
def marker(request):
    return Watermarker.load(request.param, key="a secret", false_positive_rate=1e-6, target_psnr=42)


def test_ids_come_back_from_a_pil_image(marker):
    marked = marker.embed(ASTRONAUT, provider_id=7, content_id=123_456)
    assert isinstance(marked, Image.Image)
    found = marker.detect(marked)
    assert (found.is_marked, found.provider_id, found.content_id) == (True, 7, 123_456)
    assert found.log10_p < -6
    assert abs(float(psnr(to_tensor(marked), to_tensor(ASTRONAUT))) - 42) < 0.3


def test_an_unmarked_picture_has_no_ids(marker):
    found = marker.detect(ASTRONAUT)
    assert (found.is_marked, found.provider_id, found.content_id) == (False, None, None)
    assert found.log10_p > -6


def test_arrays_come_back_as_arrays(marker):
    marked = marker.embed(data.astronaut(), provider_id=4095, content_id=2**40 - 1)
    assert marked.dtype == np.uint8
    assert marked.shape == (512, 512, 3)
    found = marker.detect(marked)
    assert (found.provider_id, found.content_id) == (4095, 2**40 - 1)


def test_a_tensor_batch_carries_one_id_per_image_and_gives_a_list(marker):
    images = torch.cat([to_tensor(ASTRONAUT), to_tensor(ASTRONAUT).flip(3)])
    before = images.clone()
    found = marker.detect(marker.embed(images, provider_id=3, content_id=[10, 11]))
    assert [(f.provider_id, f.content_id) for f in found] == [(3, 10), (3, 11)]
    assert torch.equal(images, before)
    assert len(marker.detect(images[:1])) == 1
    assert [f.is_marked for f in marker.detect([ASTRONAUT, ASTRONAUT])] == [False, False]


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1"])
def test_grey_palette_and_alpha_pictures_are_marked_and_keep_what_they_can(marker, mode):
    source = ASTRONAUT.convert(mode)
    if mode in {"LA", "RGBA"}:
        source.putalpha(Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (512, 2))))
    marked = marker.embed(source, provider_id=1, content_id=2)
    assert marked.mode == {"P": "RGB", "1": "L"}.get(mode, mode)
    if "A" in mode:
        assert np.array_equal(np.asarray(marked.getchannel("A")), np.asarray(source.getchannel("A")))
    assert marker.detect(marked).content_id == 2


def test_another_key_finds_nothing():
    marked = Watermarker.load("dwt_dct", key="one").embed(ASTRONAUT, provider_id=1, content_id=1)
    assert not Watermarker.load("dwt_dct", key="two").detect(marked).is_marked


def test_two_keys_on_one_picture_are_both_read():
    one, two = (Watermarker.load("dwt_dct_svd", key=key, target_psnr=38) for key in ("one", "two"))
    both = two.embed(one.embed(ASTRONAUT, provider_id=1, content_id=1), provider_id=2, content_id=2)
    assert two.detect(both).provider_id == 2
    assert one.detect(both).provider_id in (1, None)  # never the other's, never a wrong one


@pytest.mark.parametrize(
    ("ids", "reason"),
    [((4096, 0), "provider_id .* from 0 to 4095, got 4096"), ((0, -1), "content_id .* got -1")],
)
def test_an_id_that_does_not_fit_is_refused(marker, ids, reason):
    with pytest.raises(ValueError, match=reason):
        marker.embed(ASTRONAUT, *ids)


@pytest.mark.parametrize(
    ("picture", "error"),
    [
        ("a path", TypeError),
        (np.zeros((8, 8, 2), np.uint8), TypeError),
        (np.zeros((8, 8, 3), np.int32), TypeError),
        (torch.zeros(2, 8, 8), TypeError),
        (torch.full((1, 3, 120, 120), 2.0), ValueError),
        (torch.full((1, 3, 120, 120), float("nan")), ValueError),
        (Image.new("RGB", (1, 1)), ValueError),
    ],
)
def test_what_is_no_picture_is_refused_with_expected_and_given(marker, picture, error):
    with pytest.raises(error, match=r"expected .* got"):
        marker.embed(picture, provider_id=0, content_id=0)


def test_unknown_names_and_settings_say_what_there_is():
    with pytest.raises(
        ValueError, match=r"no scheme named 'dwt' \(did you mean dwt_dct\?\); expected one of .*dwt_dct"
    ):
        Watermarker.load("dwt", key=0)
    with pytest.raises(ValueError, match=r"no setting 'psnr'; expected one of .*target_psnr"):
        Watermarker.load("dwt_dct", key=0, psnr=40)
    with pytest.raises(ValueError, match="between 20 and 60 dB, got 99"):
        Watermarker.load("dwt_dct", key=0, target_psnr=99)
    with pytest.raises(ValueError, match=r"false_positive_rate must be in \(0, 1\), got 2"):
        Watermarker.load("dwt_dct", key=0, false_positive_rate=2)


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ({"target_psnr": "abc"}, "between 20 and 60 dB, got 'abc'"),
        ({"message_bits": "many"}, "cannot be built with message_bits='many': "),
    ],
)
def test_a_setting_of_the_wrong_kind_is_named(setting, reason):
    with pytest.raises(ValueError, match=reason):
        Watermarker.load("dwt_dct", key=0, **setting)


def test_a_payload_that_is_too_long_is_refused_with_the_layout_that_fits():
    with pytest.raises(ValueError, match=r"^DwtDct: .* 72 bits does not fit in 32 message bits; layout l8 does$"):
        Watermarker.load("dwt_dct", key=0, message_bits=32)
    with pytest.raises(ValueError, match=r"does not fit in 4 message bits$"):
        Watermarker.load("dwt_dct", key=0, message_bits=4)


@pytest.mark.parametrize("number", [1.9, "3", None])
def test_an_id_that_is_no_whole_number_is_refused_rather_than_cut(marker, number):
    with pytest.raises(ValueError, match="must be an integer, got"):
        marker.embed(ASTRONAUT, provider_id=1, content_id=number)


@pytest.mark.parametrize("scheme", ["dwt_dct", "tile_spread"])
def test_a_grey_picture_ends_at_the_target_in_its_one_plane(scheme):
    grey = ASTRONAUT.convert("L").resize((256, 256))
    marked = Watermarker.load(scheme, key=0, target_psnr=42).embed(grey, provider_id=1, content_id=2)
    error = np.square(np.asarray(marked, float) - np.asarray(grey, float)).mean()
    assert abs(10 * np.log10(255**2 / error) - 42) < 0.1


@pytest.mark.parametrize("scheme", [TileSpread, DwtDct, Learned])
def test_no_scheme_can_be_used_under_a_key_that_everybody_knows(scheme):
    with pytest.raises(TypeError, match="key"):
        scheme()
    with pytest.raises(
        TypeError, match=f"expected what builds a scheme from key=..., got a finished {scheme.__name__}"
    ):
        Watermarker(scheme(key="somebody's"), "a secret")


def test_a_scheme_gets_a_key_of_its_own_from_the_one_secret():
    one, other = (Watermarker(partial(DwtDct, target_psnr=40), key) for key in ("one", "other"))
    assert one.scheme.target_psnr == 40
    assert len({one.scheme.key, other.scheme.key, "one", "other"}) == 4
    assert one.scheme.key == Watermarker.load("dwt_dct", "one").scheme.key


def test_a_batch_of_grey_and_coloured_pictures_is_marked_as_each_of_them_alone(marker):
    """What ``evaluate`` measures is what ``embed`` does."""
    colour, grey = (picture.resize((320, 256)) for picture in (ASTRONAUT, ASTRONAUT.convert("L")))
    batch = torch.cat([to_tensor(colour), to_tensor(grey)])
    marked = to_8bit(marker.embed_batch(batch, [Payload(1, 2), Payload(3, 4)]))
    alone = [to_tensor(marker.embed(colour, 1, 2)), to_tensor(marker.embed(grey, 3, 4))]
    differs = (marked - torch.cat(alone)).abs()
    assert differs.max() < 1.5 / 255  # a batch adds in another order: a level here and there
    assert (differs > 0.5 / 255).double().mean() < 1e-3
    assert (marked[1] == marked[1, :1]).all()
    assert abs(float(psnr(marked, batch)[1]) - 42) < 0.1
