import pytest
import torch
from torch import nn

from watermark.schemes.block_pair import BlockPair
from watermark.schemes.encoder_decoder import HiddenPair, StegaStampPair
from watermark.schemes.lattice.mark import scaled

PAIRS = [HiddenPair(8, 32, 8, 1), StegaStampPair(8, 32, 8), BlockPair(8, 32)]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: type(pair).__name__)
def test_any_size_goes_through_the_frame(pair):
    images, message = torch.rand(2, 3, 45, 70), torch.rand(2, 8) < 0.5
    assert pair.residual(images, message).shape == images.shape
    assert pair.read(images).shape == (2, 8)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: type(pair).__name__)
def test_the_message_changes_the_residual(pair):
    images = torch.rand(1, 3, 32, 32)
    pair.eval()
    one, other = (pair.residual(images, torch.full((1, 8), bit)) for bit in (True, False))
    assert (one - other).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("build", "reached"), [(lambda: HiddenPair(4, 32, 16, 1), 0.65), (lambda: StegaStampPair(4, 32, 8), 0.9)]
)
def test_a_pair_learns_a_loud_mark(build, reached):
    torch.manual_seed(0)
    pair = build()
    optimiser = torch.optim.Adam(pair.parameters(), 3e-3)
    images = nn.functional.interpolate(torch.rand(4, 3, 8, 8), 32, mode="bicubic").clamp(0, 1)
    accuracy = []
    for _ in range(100):
        message = torch.rand(16, 4) < 0.5
        chosen = images[torch.randint(4, (16,))]
        change = pair.residual(chosen, message)
        change = change / change.square().mean((1, 2, 3), keepdim=True).sqrt() * 0.1  # 20 dB
        logits = pair.read(chosen + change)
        nn.functional.binary_cross_entropy_with_logits(logits, message.float()).backward()
        optimiser.step()
        optimiser.zero_grad()
        accuracy.append(float(((logits > 0) == message).float().mean()))
    assert sum(accuracy[-20:]) / 20 > reached


def test_a_frame_that_cannot_be_halved_four_times_is_refused():
    with pytest.raises(ValueError, match="multiple of 16"):
        HiddenPair(8, 40)


def test_a_block_pair_reads_before_any_training():
    """Its start is spread spectrum with a matched filter: 32 bits of a loud mark on rough pictures, averages unset."""
    torch.manual_seed(0)
    pair = BlockPair(32, 128)
    images, message = torch.rand(8, 3, 128, 128) * 0.4 + 0.3, torch.rand(8, 32) < 0.5
    marked = images + scaled(pair.residual(images, message), torch.full((8,), 24.0))
    assert float(((pair.read(marked) > 0) == message).float().mean()) > 0.95


def test_cosine_blocks_go_there_and_back():
    pair, images = BlockPair(8, 32), torch.rand(2, 3, 32, 48)
    torch.testing.assert_close(pair.synthesise(pair.analyse(images)), images * 2 - 1, atol=1e-5, rtol=0)


def test_a_block_pair_needs_a_channel_for_each_sign():
    with pytest.raises(ValueError, match="spread must be at least 2"):
        BlockPair(8, 32, spread=1)
