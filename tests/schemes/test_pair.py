import json

import pytest
import torch
from safetensors.torch import save_file

from watermark.schemes.block_pair import BlockPair
from watermark.schemes.pair import PairScheme


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """An untrained pair of 8 bits as a weights file."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    settings = {"message_bits": 8, "frame": 64}
    save_file(BlockPair(8, 64).state_dict(), str(path), metadata={"BlockPair": json.dumps(settings)})
    return str(path)


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
