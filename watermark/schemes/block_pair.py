"""HiDDeN's pair moved into 8 px cosine blocks: the same design at a hundredth of the cost, with a start that reads."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from watermark.schemes.encoder_decoder import Block, Pair
from watermark.transforms.dct import dct_matrix

SIDE = 8
"""Px of a block, JPEG's; a frame of 128 px is 16 x 16 blocks of 3 x 64 coefficients."""
QUIET = 0.1
"""Share of their usual size at which the weights beside the classical start begin."""


class BlockPair(Pair):
    """HiDDeN (Zhu, Kaplan, Johnson, Fei-Fei 2018) with a cosine block where the paper has a pixel.

    What is kept: convolution, normalisation, ReLU; the message repeated at every place; a decoder that averages over
    all places; an additive residual; both trained together through a noise layer. What differs: a place is a block of
    8 x 8 px, seen and changed as cosine coefficients of about equal variance. A message that is repeated at every
    *pixel* has nothing but the picture itself to ride on; in a block it has patterns.

    The start is classical spread spectrum: every bit is a random pattern of coefficients and the decoder its matched
    filter. Training bends both.

    Args:
        message_bits: K.
        frame: px; 128 in the paper.
        spread: channels per bit, at least 2 (one for each sign).
        depth: 3 x 3 convolutions of the decoder.
    """

    basis: Tensor
    white: Tensor

    def __init__(self, message_bits: int = 32, frame: int = 128, spread: int = 2, depth: int = 3) -> None:
        super().__init__(message_bits, frame)
        if spread < 2:
            raise ValueError(f"spread must be at least 2, got {spread}")
        rows = dct_matrix(SIDE, torch.zeros(()))
        self.register_buffer("basis", torch.einsum("uy,vx->uvyx", rows, rows).reshape(64, 64), persistent=False)
        order = torch.arange(float(SIDE))
        self.register_buffer("white", 0.5 + (order[:, None] + order).flatten(), persistent=False)  # photographs: 1 / f
        width, places = spread * message_bits, 3 * SIDE**2
        self.before = nn.Sequential(Block(places, width, 1), Block(width, width))
        self.join, self.out = Block(width + message_bits + places, width, 1), nn.Conv2d(width, places, 1)
        self.look = Block(places, width, 1)
        self.body = nn.Sequential(*(Block(width, width) for _ in range(depth)))
        self.vote, self.last = Block(width, message_bits), nn.Linear(message_bits, message_bits)
        self._start(width)

    def encode(self, images: Tensor, signs: Tensor) -> Tensor:
        """See ``Pair``."""
        places = self.analyse(images)
        everywhere = signs[:, :, None, None].expand(-1, -1, *places.shape[-2:])
        change = self.out(self.join(torch.cat([self.before(places), everywhere, places], 1)))
        return self.synthesise(change)

    def decode(self, images: Tensor) -> Tensor:
        """See ``Pair``."""
        votes = self.vote(self.body(self.look(self.analyse(images))))  # (N, K, frame / 8, frame / 8)
        return self.last(votes.mean((2, 3)))

    def analyse(self, images: Tensor) -> Tensor:
        """``(N, 192, H / 8, W / 8)`` coefficients of red, green and blue, of about unit variance on photographs."""
        blocks = F.pixel_unshuffle(images * 2 - 1, SIDE).unflatten(1, (3, 64))
        return torch.einsum("ncphw,qp->ncqhw", blocks, self.basis * self.white[:, None]).flatten(1, 2)

    def synthesise(self, coefficients: Tensor) -> Tensor:
        """The inverse of ``analyse`` for a difference of pictures, up to a factor."""
        parts = coefficients.unflatten(1, (3, 64))
        return F.pixel_shuffle(
            torch.einsum("ncqhw,qp->ncphw", parts, self.basis / self.white[:, None]).flatten(1, 2), 8
        )

    @torch.no_grad()
    def _start(self, width: int) -> None:
        """Spread spectrum and its matched filter; everything else is a whisper beside them."""
        bits = self.message_bits
        patterns = nn.init.orthogonal_(torch.empty(bits, 3 * SIDE**2))  # (K, 192)
        both = torch.zeros(width, bits)  # which sign of which bit a channel stands for
        both[: 2 * bits] = torch.cat([torch.eye(bits), -torch.eye(bits)])
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.mul_(QUIET)
        body = [module for module in self.body if isinstance(module, Block)]
        for module in (*body, self.vote):
            module.shift.fill_(1)  # most of what a ReLU sees is let through
        self.join.weight[:, width : width + bits, 0, 0] += both
        self.out.weight[:, :, 0, 0] += (both @ patterns).T
        self.look.weight[:, :, 0, 0] += both @ patterns
        for module in body:
            module.weight[:, :, 1, 1] += torch.eye(width)
        self.vote.weight[:, :, 1, 1] += both.T
        self.last.weight.mul_(QUIET).add_(10 * torch.eye(bits))
        self.last.bias.fill_(-10.8)  # 1.08: mean of a ReLU of a normal of mean 1
