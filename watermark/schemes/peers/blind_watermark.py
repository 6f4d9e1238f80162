"""The package ``blind-watermark`` (MIT): quantised singular values of DWT-DCT blocks that a password shuffles."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from watermark.keys import Key, keyed_words
from watermark.schemes.peers.peer import Peer, Picture, hard, package

BLOCK = 8  # px a side


class BlindWatermark(Peer):
    """``blind-watermark`` on bits; its passwords are drawn from the key.

    Args:
        steps: of the two quantisers, in 8-bit levels; the package's own are 36 and 20.
        message_bits: channel bits; the picture needs more blocks of 8 x 8 px than that.
        key: see ``Scheme``.
        target_psnr: must be None: a quantiser may not be scaled.
    """

    min_size = 128

    def __init__(
        self,
        *,
        key: Key,
        steps: tuple[float, float] = (36.0, 20.0),
        message_bits: int = 128,
        target_psnr: float | None = None,
    ) -> None:
        super().__init__(message_bits, key, target_psnr)
        if len(steps) != 2 or not all(1 <= step <= 255 for step in steps):
            raise ValueError(f"steps must be two numbers between 1 and 255 levels, got {steps!r}")
        self.steps = tuple(steps)
        self._passwords = [int(word) % 2**32 for word in keyed_words(key, "blind-watermark", 2)]
        self._engine()

    def mark(self, picture: Picture, bits: NDArray[np.bool_]) -> Picture:
        """See ``Peer``; what the package leaves as floats is rounded, as saving would."""
        engine = self._engine()
        engine.read_img(img=np.ascontiguousarray(picture[..., ::-1]))
        engine.read_wm(bits.copy(), mode="bit")
        return np.asarray(np.asarray(engine.embed())[..., ::-1].round().clip(0, 255), dtype=np.uint8)

    def soft(self, picture: Picture) -> NDArray[np.floating[Any]]:
        """See ``Peer``; the package gives bits alone, by two means of what its blocks say."""
        image = np.ascontiguousarray(picture[..., ::-1])
        return hard(self._engine().extract(embed_img=image, wm_shape=self.message_bits, mode="bit"))

    def _engine(self) -> Any:
        notes = package("blind_watermark.version", "blind-watermark", "'robust-watermark[peers]'").bw_notes
        notes.close()  # it advertises on the standard output otherwise
        kind = package("blind_watermark", "blind-watermark", "'robust-watermark[peers]'").WaterMark
        engine = kind(password_wm=self._passwords[0], password_img=self._passwords[1])
        engine.bwm_core.d1, engine.bwm_core.d2 = self.steps
        return engine
