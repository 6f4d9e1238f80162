"""The peers that a package index installs, behind two verbs: mark a picture with bits, read bits.

The extra packages are the dependency group ``peers``; the product does not know them.
"""

import contextlib
import io
from dataclasses import dataclass, field

import numpy as np
from imwatermark import WatermarkDecoder, WatermarkEncoder

with contextlib.redirect_stdout(io.StringIO()):  # it greets
    from blind_watermark import WaterMark
    from blind_watermark.version import bw_notes

    bw_notes.close()

BITS = 32  # what rivaGan fixes; fewer bits are easier to keep, so the others are given no more


@dataclass(frozen=True)
class InvisibleWatermark:
    """A method of ``invisible-watermark``; ``scales`` is its own dial, 36 on the second channel by default."""

    method: str
    settings: dict = field(default_factory=dict)

    def mark(self, picture: np.ndarray, bits: np.ndarray) -> np.ndarray:
        """``(H, W, 3)`` uint8 RGB and ``(BITS,)`` of 0 and 1 to the marked picture."""
        encoder = WatermarkEncoder()
        encoder.set_watermark("bits", bits.tolist())
        if self.method == "rivaGan":
            encoder.loadModel()
        marked = encoder.encode(np.ascontiguousarray(picture[..., ::-1]), self.method, **self.settings)
        return np.ascontiguousarray(marked[..., ::-1])

    def read(self, picture: np.ndarray) -> np.ndarray:
        """The bits; raises RuntimeError below 256 x 256 px, the package's own limit."""
        decoder = WatermarkDecoder("bits", BITS)
        if self.method == "rivaGan":
            decoder.loadModel()
        return np.asarray(decoder.decode(np.ascontiguousarray(picture[..., ::-1]), self.method, **self.settings))


@dataclass(frozen=True)
class BlindWatermark:
    """``blind-watermark``; its dials are the two quantisation steps."""

    steps: tuple[float, float] = (36, 20)

    def _engine(self) -> WaterMark:
        engine = WaterMark(password_wm=1, password_img=1)
        engine.bwm_core.d1, engine.bwm_core.d2 = self.steps
        return engine

    def mark(self, picture: np.ndarray, bits: np.ndarray) -> np.ndarray:
        """As above; the package returns floats, which are rounded here as saving would."""
        engine = self._engine()
        engine.read_img(img=np.ascontiguousarray(picture[..., ::-1]))
        engine.read_wm(bits.astype(bool), mode="bit")
        return np.ascontiguousarray(engine.embed()[..., ::-1]).round().clip(0, 255).astype(np.uint8)

    def read(self, picture: np.ndarray) -> np.ndarray:
        """The bits, by the package's own two-means threshold; raises where the picture is too small for it."""
        image = np.ascontiguousarray(picture[..., ::-1])
        return np.asarray(self._engine().extract(embed_img=image, wm_shape=BITS, mode="bit"))


PEERS = {
    "dwtDct": InvisibleWatermark("dwtDct"),
    "dwtDct 42 dB": InvisibleWatermark("dwtDct", {"scales": [0, 24, 0]}),
    "dwtDctSvd": InvisibleWatermark("dwtDctSvd"),
    "dwtDctSvd 42 dB": InvisibleWatermark("dwtDctSvd", {"scales": [0, 21, 0]}),
    "rivaGan": InvisibleWatermark("rivaGan"),
    "blind-watermark": BlindWatermark(),
    "blind-watermark 42 dB": BlindWatermark((21.5, 12)),
}
"""Each at its defaults, and where it has a dial at about 42 dB (chosen on photos that are not Kodak)."""
