"""Other people's marks: with their packages where they are installed, with stand-ins of their interface otherwise."""

import multiprocessing
import sys
import types
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from attacks import Crop, Jpeg
from watermark.config import compose, config_names, default_names
from watermark.errors import UserError
from watermark.metrics.psnr import psnr
from watermark.pixels import to_tensor
from watermark.watermarker import Watermarker

COFFEE = data.coffee()[:300, :400]


def needs(*packages):
    """Skip where one is missing; none is imported."""
    if missing := [name for name in packages if find_spec(name) is None]:
        pytest.skip(f"no {missing[0]}")


def quality(marked):
    return float(psnr(to_tensor(Image.fromarray(marked)), to_tensor(Image.fromarray(COFFEE))))


def found_after(marker, attack, provider=7, content=5):
    marked = Image.fromarray(marker.embed(COFFEE, provider, content))
    found = marker.detect(attack.picture(marked))
    return (found.provider_id, found.content_id) == (provider, content)


def test_what_needs_something_of_the_users_is_measured_only_by_name():
    extras = {name for name in config_names("scheme") if "peers" in compose("scheme", name)["_target_"]}
    assert extras == set(config_names("scheme")) - set(default_names("scheme"))
    assert {"rivagan", "blind_watermark", "trustmark", "videoseal"} <= extras
    assert {"tile_spread", "learned", "hidden"} <= set(default_names("scheme"))


def test_rivagan_reads_a_crop_and_proves_it_under_our_key():
    needs("imwatermark", "onnxruntime")
    marker = Watermarker.load("rivagan", key="k", layout="l8", target_psnr=38)
    marked = marker.embed(COFFEE, 7, 5)
    assert quality(marked) == pytest.approx(38, abs=0.5)  # whole levels, scaled, make steps
    found = marker.detect(np.ascontiguousarray(marked[:, 100:]))
    assert (found.is_marked, found.provider_id, found.content_id) == (True, 7, 5)
    assert not Watermarker.load("rivagan", key="another", layout="l8").detect(marked).is_marked


@pytest.mark.parametrize("name", ["imwatermark_dwt_dct_svd", "blind_watermark"])
def test_a_quantiser_carries_our_code_word_and_may_not_be_scaled(name):
    needs("imwatermark", "blind_watermark")
    marker = Watermarker.load(name, key="k")
    assert found_after(marker, Jpeg(95))
    assert not found_after(marker, Crop(0.5))
    with pytest.raises(ValueError, match="cannot be scaled"):
        Watermarker.load(name, key="k", target_psnr=42)


def test_a_picture_that_a_package_refuses_has_nothing_in_it():
    needs("imwatermark")
    assert Watermarker.load("imwatermark_dwt_dct_svd", key="k").detect(COFFEE[:100, :100]).log10_p == 0


def test_the_steps_of_a_quantiser_are_its_dial():
    needs("blind_watermark")
    loud, soft = (Watermarker.load("blind_watermark", key="k", steps=steps) for steps in ([36, 20], [18, 10]))
    decibels = [quality(marker.embed(COFFEE, 7, 5)) for marker in (loud, soft)]
    assert decibels[1] > decibels[0] + 3


def test_a_package_that_wants_to_start_processes_another_way_does_not(monkeypatch):
    needs("blind_watermark")
    for loaded in [one for one in sys.modules if one.split(".")[0] == "blind_watermark"]:
        monkeypatch.delitem(sys.modules, loaded)
    before = multiprocessing.get_start_method()  # sets it, if nobody has
    Watermarker.load("blind_watermark", key="k")
    assert multiprocessing.get_start_method() == before


@pytest.mark.parametrize(
    ("name", "module", "wanted"),
    [
        ("rivagan", "imwatermark", "peers"),
        ("blind_watermark", "blind_watermark", "peers"),
        ("trustmark", "trustmark", ""),
    ],
)
def test_a_missing_package_is_one_line_that_says_what_to_install(name, module, wanted, monkeypatch):
    for loaded in [one for one in sys.modules if one.split(".")[0] == module]:
        monkeypatch.setitem(sys.modules, loaded, None)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=rf"needs a package that is not here .*pip install .*{wanted}"):
        Watermarker.load(name, key="k", layout="l8")


class StandIn:
    """The interface of ``trustmark.TrustMark`` 0.9.2: 100 bits, one in each of 10 x 10 blocks' brightness."""

    weights = object()

    def __init__(self, use_ECC, verbose, secret_len, model_type, loadRemover):
        assert (use_ECC, verbose, secret_len, loadRemover) == (False, False, 100, False)
        assert model_type in "QPBC"
        self.encoder = self.decoder = self.weights

    def encode(self, in_cover_image, string_secret, MODE="text"):
        assert (MODE, len(string_secret)) == ("binary", 100)
        picture = np.asarray(in_cover_image).astype(int) // 8 * 8 + 2
        rows, columns = (np.arange(side) * 10 // side for side in picture.shape[:2])
        bits = np.array([int(bit) for bit in string_secret]).reshape(10, 10)[rows][:, columns]
        return Image.fromarray(np.clip(picture + 4 * bits[..., None], 0, 255).astype(np.uint8))

    def decode(self, in_stego_image, MODE="text"):
        picture = np.asarray(in_stego_image).astype(int) % 8 >= 4
        rows, columns = (np.linspace(0, side, 11).astype(int) for side in picture.shape[:2])
        means = [
            picture[rows[i] + 2 : rows[i + 1] - 2, columns[j] + 2 : columns[j + 1] - 2].mean()
            for i in range(10)
            for j in range(10)
        ]
        return "".join(str(int(mean > 0.5)) for mean in means), True, -1


@pytest.fixture
def trustmark(monkeypatch):
    module = types.ModuleType("trustmark")
    module.TrustMark = StandIn
    monkeypatch.setitem(sys.modules, "trustmark", module)


def test_trustmark_carries_our_code_word_in_its_raw_bits(trustmark):
    marker = Watermarker.load("trustmark", key="k", variant="P")
    found = marker.detect(marker.embed(COFFEE, 7, 5))
    assert (found.is_marked, found.provider_id, found.content_id) == (True, 7, 5)
    with pytest.raises(ValueError, match="variant must be one of Q, P, B, C"):
        Watermarker.load("trustmark", key="k", variant="X")


def test_trustmark_without_its_weights_is_one_line(trustmark, monkeypatch):
    monkeypatch.setattr(StandIn, "weights", None)
    with pytest.raises(UserError, match="no weights of variant Q"):
        Watermarker.load("trustmark", key="k")


class Seal(torch.nn.Module):
    """The interface of Meta's TorchScript files: bits in the brightness of 16 rows of blocks."""

    @torch.jit.export
    def embed(self, imgs: torch.Tensor, msgs: torch.Tensor) -> torch.Tensor:
        field = (msgs.reshape(-1, 1, 16, 16) - 0.5) * 0.1
        return imgs + torch.nn.functional.interpolate(field, [imgs.shape[-2], imgs.shape[-1]], mode="nearest")

    @torch.jit.export
    def detect(self, imgs: torch.Tensor) -> torch.Tensor:
        means = torch.nn.functional.adaptive_avg_pool2d(imgs.mean(1, keepdim=True), [16, 16]).flatten(1) - 0.5
        return torch.cat([torch.ones_like(means[:, :1]), means], 1)

    def forward(self, imgs: torch.Tensor) -> torch.Tensor:
        return self.detect(imgs)


def test_a_torchscript_mark_carries_our_code_word(tmp_path):
    file = tmp_path / "y_256b_img.jit"
    torch.jit.script(Seal()).save(str(file))
    grey = np.full((128, 128, 3), 127, np.uint8)
    marker = Watermarker.load("videoseal", key="k", file=str(file), target_psnr=30)
    found = marker.detect(marker.embed(grey, 7, 5))
    assert (found.is_marked, found.provider_id, found.content_id) == (True, 7, 5)
    with pytest.raises(UserError, match="the model carries 256 bits, not 128"):
        Watermarker.load("videoseal", key="k", file=str(file), message_bits=128).detect(grey)


@pytest.mark.parametrize("content", [None, b"no program"])
def test_a_torchscript_file_that_is_none_is_one_line(tmp_path, content):
    file = tmp_path / "seal.jit"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError, match=r"no such file|no TorchScript model"):
        Watermarker.load("videoseal", key="k", file=str(file))
    torch.jit.script(torch.nn.Identity()).save(str(file))
    with pytest.raises(UserError, match="with embed and detect"):
        Watermarker.load("videoseal", key="k", file=str(file))
