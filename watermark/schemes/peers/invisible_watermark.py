"""The three methods of the package ``invisible-watermark`` (MIT), the one that Stable Diffusion's scripts called.

``rivaGan`` is RivaGAN (Zhang, Xu, Cuesta-Infante, Veeramachaneni 2019, arXiv:1909.01285); its weights come inside the
wheel. The other two have no paper: they quantise the largest DCT coefficient, or the first singular value, of blocks.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from watermark.keys import Key
from watermark.schemes.peers.peer import Peer, Picture, hard, package

INSTALL = "'robust-watermark[peers]'"
RIVAGAN_BITS, THRESHOLD = 32, 0.52


class _Method(Peer):
    method: str
    min_size = 256  # the package's own limit is 65,536 px

    def _engine(self) -> Any:
        return package("imwatermark", self.method, INSTALL)

    def _encode(self, picture: Picture, bits: NDArray[np.bool_], **settings: Any) -> Picture:
        encoder = self._engine().WatermarkEncoder()
        encoder.set_watermark("bits", bits.astype(int).tolist())
        marked = encoder.encode(np.ascontiguousarray(picture[..., ::-1]), self.method, **settings)
        return np.ascontiguousarray(marked[..., ::-1], dtype=np.uint8)


class DwtDctMax(_Method):
    """``dwtDct``: bits in the largest DCT coefficient of the wavelet approximation's 4 x 4 blocks.

    Args:
        step: of the quantiser, in 8-bit levels; the package's own is 36.
        message_bits: channel bits; each is repeated in every 64 times ``message_bits`` px.
        key: see ``Scheme``.
        target_psnr: must be None: a quantiser may not be scaled.
    """

    method = "dwtDct"

    def __init__(
        self, *, key: Key, step: float = 36.0, message_bits: int = 128, target_psnr: float | None = None
    ) -> None:
        super().__init__(message_bits, key, target_psnr)
        if not 1 <= step <= 255:
            raise ValueError(f"step must be between 1 and 255 levels, got {step}")
        self._engine()
        self.scales = [0, step, 0]

    def mark(self, picture: Picture, bits: NDArray[np.bool_]) -> Picture:
        """See ``Peer``."""
        return self._encode(picture, bits, scales=self.scales)

    def soft(self, picture: Picture) -> NDArray[np.floating[Any]]:
        """See ``Peer``; the package gives bits alone."""
        decoder = self._engine().WatermarkDecoder("bits", self.message_bits)
        return hard(decoder.decode(np.ascontiguousarray(picture[..., ::-1]), self.method, scales=self.scales))


class DwtDctSvdMax(DwtDctMax):
    """``dwtDctSvd``: the same in the first singular value of each block."""

    method = "dwtDctSvd"


class RivaGan(_Method):
    """``rivaGan``: a network that attends to where a picture hides best, 32 bits.

    Args:
        key: see ``Scheme``.
        target_psnr: dB; None: as the package makes it, about 40.5.
    """

    method = "rivaGan"
    strength = "free"

    def __init__(self, *, key: Key, target_psnr: float | None = None) -> None:
        super().__init__(RIVAGAN_BITS, key, target_psnr)
        package("onnxruntime", self.method, INSTALL)
        self._engine().WatermarkEncoder.loadModel()

    def mark(self, picture: Picture, bits: NDArray[np.bool_]) -> Picture:
        """See ``Peer``."""
        return self._encode(picture, bits)

    def soft(self, picture: Picture) -> NDArray[np.floating[Any]]:
        """See ``Peer``; what the network answers, which the package compares with ``THRESHOLD``."""
        network = package("imwatermark.rivaGan", self.method, INSTALL).RivaWatermark.decoder
        frames = (picture[..., ::-1].astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None, :, None]  # (1,3,1,H,W)
        return np.asarray(network.run(None, {"frame": frames})[0][0] - THRESHOLD)
