"""A picture that went into a clip: one intra frame of a video codec, written and read by PyAV (extra ``video``)."""

import io
import os
from fractions import Fraction
from types import ModuleType
from typing import Any

import numpy as np
from torch import Tensor

from attacks.base import Attack, Generators
from attacks.functional import codec

CODECS: dict[str, tuple[str, int, dict[str, str]]] = {
    "h264": ("libx264", 51, {"preset": "medium"}),
    "h265": ("libx265", 51, {"preset": "fast", "x265-params": "log-level=error:pools=none:frame-threads=1"}),
    "vp9": ("libvpx-vp9", 63, {"b": "0", "cpu-used": "4"}),
    "av1": ("libsvtav1", 63, {"preset": "8", "svtav1-params": "lp=1"}),
}
"""Encoder of FFmpeg, its worst ``crf``, and how hard it tries."""


class VideoFrame(Attack):
    """Encode as the only frame of a clip (4:2:0) and decode: what a video platform leaves of a still.

    An odd side is continued by a pixel, as the codecs ask, and cut off again.

    Args:
        crf: constant rate factor of the encoder: 0 (best) to 51 for H.264 and H.265, to 63 for VP9 and AV1.
        coder: ``h264``, ``h265``, ``vp9`` or ``av1``.

    Raises:
        ValueError: for another codec or a factor out of range, or without PyAV.
    """

    differentiable, geometric, harder = False, False, "higher"
    family = "compression"
    unit, together = "constant rate factor", False
    reproduces = "a still re-uploaded as a clip; intra coding of VideoSeal's H.264"

    def __init__(self, crf: float, coder: str = "h264") -> None:
        if coder not in CODECS:
            raise ValueError(f"coder must be one of {', '.join(CODECS)}, got {coder!r}")
        worst = CODECS[coder][1]
        if not 0 <= crf <= worst:
            raise ValueError(f"crf must be in 0..{worst} for {coder}, got {crf}")
        super().__init__(crf)
        self.coder, self._av = coder, _pyav()

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        return codec.edit_bytes(images, self._through_a_clip)

    def _through_a_clip(self, levels: np.ndarray) -> np.ndarray:
        height, width = levels.shape[:2]
        even = np.pad(levels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        file = io.BytesIO()
        with self._av.open(file, "w", format="matroska") as clip:
            self._write(clip, even)
        file.seek(0)
        with self._av.open(file) as clip:
            frame = next(clip.decode(video=0))
        return np.ascontiguousarray(frame.to_ndarray(format="rgb24")[:height, :width])

    def _write(self, clip: Any, levels: np.ndarray) -> None:
        encoder, _, settings = CODECS[self.coder]
        stream = clip.add_stream(encoder, rate=Fraction(25))
        stream.height, stream.width = levels.shape[:2]
        stream.pix_fmt, stream.thread_count = "yuv420p", 1
        stream.options = {"crf": f"{self.strength:g}", **settings}
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(levels), format="rgb24")
        for packet in (*stream.encode(frame), *stream.encode()):
            clip.mux(packet)


def _pyav() -> ModuleType:
    os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 reports every setting otherwise
    try:
        import av
    except ImportError:
        raise ValueError("expected PyAV: pip install 'robust-watermark[video]'") from None
    return av
