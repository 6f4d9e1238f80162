"""A trained encoder-decoder pair as a scheme: the picture is cut into frames, each of which carries a part of the bits.

The pair itself carries 32 bits or so. That many cannot prove one of 2^52 payloads at one in a million, whatever the
network: ``grid ** 2`` frames side by side carry the code word of any layout, and the false-positive rate is proven as
for every other scheme, by the keyed signs of the code. The pair holds no key of its own. Who has the (public) weights
can read the channel bits, which are coin flips to him, and can overwrite them.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from watermark.keys import Key
from watermark.schemes.base import Readout, Scheme
from watermark.schemes.block_pair import BlockPair
from watermark.schemes.encoder_decoder import HiddenPair, Pair, StegaStampPair
from watermark.schemes.weights_file import read_weights

PAIRS: dict[str, type[Pair]] = {kind.__name__: kind for kind in (BlockPair, HiddenPair, StegaStampPair)}
"""What the header of a weights file may name."""


class PairScheme(Scheme):
    """A pair on a picture of any size, stretched to ``grid`` x ``grid`` frames; the residual is stretched back.

    Enlarging the residual instead of the picture is TrustMark's way (Bui, Agarwal, Collomosse 2023). There is no
    search: what a pair was not trained to survive (turning, cropping) it does not survive.

    Args:
        weights: name of a file under ``watermark/schemes/weights`` or a path to a ``.safetensors`` file, both written
            by ``python -m watermark.training.export``.
        key: not used, and taken because every scheme is given one.
        target_psnr: dB.
        grid: frames a side; the scheme carries ``grid ** 2`` times the bits of its pair.
    """

    def __init__(self, weights: str = "hidden", *, key: Key, target_psnr: float | None = 38.0, grid: int = 3) -> None:
        if grid < 1:
            raise ValueError(f"grid must be at least 1, got {grid}")
        file = read_weights(weights, list(PAIRS))
        pair = file.load(PAIRS[file.kind])
        super().__init__(pair.message_bits * grid**2, key, target_psnr)
        self.pair, self.grid, self.weights_sha256 = pair, grid, file.sha256

    @torch.no_grad()
    def residual(self, images: Tensor, message: Tensor) -> Tensor:
        """See ``Scheme``."""
        frames = self._frames(images)
        change = self.pair.encode(frames, message.reshape(len(frames), -1).to(images.dtype) * 2 - 1)
        rows = change.unflatten(0, (-1, self.grid, self.grid)).permute(0, 3, 1, 4, 2, 5)  # (N, 3, row, y, column, x)
        whole = rows.flatten(2, 3).flatten(3, 4)  # (N, 3, grid * frame, grid * frame)
        return F.interpolate(whole, images.shape[-2:], mode="bilinear", antialias=True, align_corners=False)

    def read(self, images: Tensor) -> Readout:
        """See ``Scheme``; one reading, and gradients where the caller wants them."""
        return Readout.of(self.pair.decode(self._frames(images)).reshape(len(images), -1))

    def _frames(self, images: Tensor) -> Tensor:
        """``(N * grid^2, 3, frame, frame)``, row by row."""
        side = self.grid * self.pair.frame
        whole = F.interpolate(images, (side, side), mode="bilinear", antialias=True, align_corners=False)
        rows = whole.unflatten(2, (self.grid, -1)).unflatten(4, (self.grid, -1))  # (N, 3, row, y, column, x)
        return rows.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)
