"""A decoder of bits without an encoder: generators that sign what they draw (Stable Signature, arXiv:2303.15435)."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from scipy.stats import binom

from watermark.errors import UserError
from watermark.pixels import to_tensor
from watermark.schemes.outside import Answer, OutsideMark
from watermark.schemes.peers.torchscript import load_torchscript
from watermark.transforms.resample import resize


class Signature(OutsideMark):
    """A TorchScript file ``(1, 3, H, W)`` to ``(1, K)``, above 0 means 1, and the K bits that a generator always signs.

    A picture counts as marked where so many bits agree that fair coins would do it at most at ``false_positive_rate``.
    That is the authors' own rule. Bits of unmarked pictures are no fair coins, so the rate is no promise.

    Args:
        file: for example ``dec_48b_whit.torchscript.pt``; a TorchScript file is a program.
        signature: the bits, as ``0`` and ``1``.
        marked: see ``OutsideMark``.
        false_positive_rate: see above.
        mean: of the colours, which is taken away from pictures in ``[0, 1]``.
        spread: of the colours, by which the rest is divided.
        side: px to which pictures are resized; None: as they are.

    Raises:
        UserError: if the file is missing or none, or no agreement of so few bits is rare enough.
    """

    def __init__(
        self,
        file: str,
        signature: str,
        marked: str | None = None,
        false_positive_rate: float = 1e-6,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        spread: Sequence[float] = (0.229, 0.224, 0.225),
        side: int | None = None,
    ) -> None:
        super().__init__(marked)
        signature = str(signature)
        if not signature or set(signature) - {"0", "1"}:
            raise UserError(f"signature: expected bits such as 0110, got {signature!a:.80}")
        self.message_bits, self._file = len(signature), Path(file)
        self._bits = torch.tensor([bit == "1" for bit in signature])
        self.allowed = int(binom.ppf(false_positive_rate, self.message_bits, 0.5)) - 1
        if self.allowed < 0:
            raise UserError(
                f"signature: {self.message_bits} bits cannot agree at {false_positive_rate:g}; expected more"
            )
        self._decoder, self._side = load_torchscript(file), side
        self._mean, self._spread = (torch.tensor(values)[:, None, None] for values in (list(mean), list(spread)))

    @torch.no_grad()
    def ask(self, picture: Image.Image) -> Answer:
        """See ``OutsideMark``.

        Raises:
            UserError: if the file answers another number of bits.
        """
        images = to_tensor(picture)
        if self._side is not None:
            images = resize(images, (self._side, self._side)).clamp(0, 1)
        said = self._decoder((images - self._mean) / self._spread)
        if said.shape != (1, self.message_bits):
            raise UserError(f"file: expected (1, {self.message_bits}) bits, got {tuple(said.shape)}")
        wrong = int(((said[0] > 0) != self._bits).sum())
        return Answer(wrong <= self.allowed, wrong)

    def files(self) -> Sequence[Path]:
        """The decoder."""
        return [self._file]
