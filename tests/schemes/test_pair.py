import json

import pytest
import torch
from safetensors.torch import save_file
from skimage import data

from attacks.compression import Jpeg
from attacks.filters import GaussianBlur
from attacks.resize import ResizeBack
from watermark.images import to_8bit
from watermark.metrics.psnr import psnr
from watermark.schemes.block_pair import BlockPair
from watermark.schemes.pair import PairScheme
from watermark.watermarker import Watermarker


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """An untrained pair of 8 bits as a weights file."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    settings = {"message_bits": 8, "frame": 64}
    save_file(BlockPair(8, 64).state_dict(), str(path), metadata={"BlockPair": json.dumps(settings)})
    return str(path)


@torch.no_grad()
@pytest.mark.parametrize("attack", [Jpeg(50), GaussianBlur(1.0), ResizeBack(0.5)], ids=["jpeg", "blur", "resize"])
def test_the_shipped_pair_reads_its_own_bits_after(attack):
    marker = Watermarker.load("hidden", key="pair", device="cpu")
    image = torch.from_numpy(data.astronaut()).permute(2, 0, 1)[None].float() / 255
    marked = to_8bit(marker.embed(image, 7, 123_456))
    assert float(psnr(marked, image)) == pytest.approx(38, abs=0.1)
    found = marker.detect(attack(marked))[0]
    assert (found.provider_id, found.content_id) == (7, 123_456)


@torch.no_grad()
@pytest.mark.parametrize("size", [(128, 128), (300, 210)])
def test_every_frame_of_the_grid_carries_its_own_bits(size):
    scheme = PairScheme("hidden", key=0, target_psnr=32, grid=2)
    assert scheme.message_bits == 128
    images = torch.from_numpy(data.chelsea()).permute(2, 0, 1)[None, :, : size[0], 100 : 100 + size[1]].float() / 255
    message = torch.rand(1, 128, generator=torch.Generator().manual_seed(1)) < 0.5
    read = scheme.decode(to_8bit(scheme.embed(images, message)))
    right = ((read.logits > 0) == message).float().reshape(4, 32).mean(1)
    assert right.min() > 0.75
    assert read.readings.tolist() == [1]


@torch.no_grad()
def test_a_bit_changes_nothing_outside_of_its_frame(weights):
    scheme = PairScheme(weights, key=0, grid=2)
    images, message = torch.rand(1, 3, 128, 128), torch.zeros(1, 32, dtype=torch.bool)
    other = message.clone()
    other[0, 8:16] = True  # the second frame: above, right
    change = (scheme.residual(images, message) - scheme.residual(images, other)).abs().amax((0, 1))
    assert change[:64, 64:].amax() > 1e-4
    change[:64, 64:] = 0
    assert change.amax() < 1e-6


def test_gradients_reach_the_picture(weights):
    images = torch.rand(1, 3, 70, 90, requires_grad=True)
    PairScheme(weights, key=0, grid=2).read(images).logits.sum().backward()
    assert images.grad.abs().sum() > 0


def test_weights_of_something_else_are_refused_in_words(tmp_path):
    with pytest.raises(ValueError, match=r"learned\.safetensors holds no weights of BlockPair or HiddenPair"):
        PairScheme("learned", key=0)
    with pytest.raises(ValueError, match="no weights 'nothing'"):
        PairScheme("nothing", key=0)
    (tmp_path / "bad.safetensors").write_bytes(b"no")
    with pytest.raises(ValueError, match="is no safetensors file"):
        PairScheme(str(tmp_path / "bad.safetensors"), key=0)


def test_a_grid_has_at_least_one_frame(weights):
    with pytest.raises(ValueError, match="grid must be at least 1"):
        PairScheme(weights, key=0, grid=0)
