"""Published encoder-decoder pairs on the same harness as the lattice mark."""

import torch
from torch import Tensor

from watermark.schemes.encoder_decoder import Pair
from watermark.schemes.lattice.mark import scaled
from watermark.training.model import MarkedBatch, TrainableMark


class PairTraining(TrainableMark):
    """An encoder and a decoder at a fixed PSNR: one number decides over visibility, no image loss has to be balanced.

    Args:
        pair: what is trained.
    """

    def __init__(self, pair: Pair) -> None:
        super().__init__()
        self.pair, self.message_bits = pair, pair.message_bits

    def mark(self, images: Tensor, message: Tensor, psnr: Tensor, generator: torch.Generator) -> MarkedBatch:  # noqa: ARG002
        """Encode; nothing is random here."""
        return MarkedBatch(images + scaled(self.pair.residual(images, message).float(), psnr))

    def read(
        self,
        images: Tensor,
        marked: MarkedBatch,  # noqa: ARG002 - a blind decoder
        generator: torch.Generator | None,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor]:
        """Decode; no auxiliary loss."""
        return self.pair.read(images), images.new_zeros(len(images))
