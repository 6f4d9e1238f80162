"""Animated pictures (GIF, WebP, APNG): every frame as it is shown, with its time, and back into one file."""

import io
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from watermark.errors import UserError
from watermark.files.limits import max_pixels
from watermark.files.metadata import KEY, Metadata

FORMATS = ("GIF", "WEBP", "PNG")
_CLEARED = 2
"""GIF's disposal that lets nothing of a frame shine through the next one."""


class SeveralFramesError(UserError):
    """An animation where one still picture is expected; ``load_any(every_frame=True)`` gives it."""


@dataclass(frozen=True)
class Animation:
    """Frames in the order in which they are shown.

    Attributes:
        frames: whole pictures of one size, RGB or RGBA, what earlier frames left standing drawn in.
        durations: of each, ms.
        loop: how often it is played, 0 for ever.
        has_cover: the first frame is shown only by viewers without animation (APNG).
        info: as of a Pillow picture; holds the ``Metadata``.
    """

    frames: tuple[Image.Image, ...]
    durations: tuple[int, ...]
    loop: int
    has_cover: bool = False
    info: dict[Any, Any] = field(default_factory=dict, compare=False)

    @property
    def mode(self) -> str:
        """RGB or RGBA."""
        return self.frames[0].mode

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of every frame, px."""
        return self.frames[0].size

    def with_frames(self, frames: list[Image.Image]) -> "Animation":
        """The same timing and metadata with other frames."""
        return replace(self, frames=tuple(frames))


def read(image: ImageFile.ImageFile, metadata: Metadata) -> Animation:
    """All frames of an opened file.

    Args:
        image: by Pillow, with every chunk of its file.
        metadata: of the file.

    Raises:
        ValueError: all frames together are larger than allowed.
    """
    count = getattr(image, "n_frames", 1)
    if count * image.width * image.height > max_pixels():
        raise ValueError(
            f"{count} frames of {image.width}x{image.height}, the limit is {max_pixels() / 1e6:g} Mpx for all together"
        )
    frames, durations = [], []
    for number in range(count):
        image.seek(number)
        image.load()
        frames.append(image.convert("RGBA" if image.has_transparency_data else "RGB"))
        durations.append(round(image.info.get("duration", 0)))
    if any(frame.mode == "RGBA" for frame in frames):
        frames = [frame.convert("RGBA") for frame in frames]
    if all(frame.mode == "RGBA" and frame.getchannel("A").getextrema() == (255, 255) for frame in frames):
        frames = [frame.convert("RGB") for frame in frames]
    for frame in frames:
        frame.info = {}
    frames, durations = _without_repeats(frames, durations)
    once = image.format == "GIF"  # a GIF that does not say how often it is played is played once
    true = metadata.corrected(image.size)
    return Animation(
        frames=tuple(frames),
        durations=tuple(durations),
        loop=int(image.info.get("loop", 1 if once else 0)),
        has_cover=bool(getattr(image, "default_image", False)),
        info={KEY: true, **({"icc_profile": true.icc} if true.icc else {})},
    )


def _without_repeats(frames: list[Image.Image], durations: list[int]) -> tuple[list[Image.Image], list[int]]:
    """Frames that equal the one before them lengthen it, as encoders do too."""
    kept, times = [frames[0]], [durations[0]]
    for frame, duration in zip(frames[1:], durations[1:], strict=True):
        if frame.tobytes() == kept[-1].tobytes():
            times[-1] += duration
        else:
            kept.append(frame)
            times.append(duration)
    return kept, times


def together(written: Animation, given: Animation) -> list[tuple[Image.Image, Image.Image]]:
    """Each frame that was given, behind the frame that is shown at its time in the written file."""
    covers = int(given.has_cover and not written.has_cover)
    frames, durations = given.frames[covers:], given.durations[covers:]
    starts = np.cumsum([0, *durations[:-1]])
    ends = np.cumsum(written.durations)
    shown = np.searchsorted(ends, starts, side="right").clip(max=len(written.frames) - 1)
    same = len(written.frames) == len(frames)
    return [(written.frames[n if same else shown[n]], frame) for n, frame in enumerate(frames)]


def coded(animation: Animation, name: str, options: dict[str, Any]) -> bytes:
    """A file of the frames, and of what ``options`` names, as Pillow names it.

    Raises:
        ValueError: the format holds no animation.
    """
    if name not in FORMATS:
        raise ValueError(f"{len(animation.frames)} frames fit into .gif, .png or .webp")
    frames, durations = list(animation.frames), list(animation.durations)
    cover = animation.has_cover and name == "PNG"
    if animation.has_cover and not cover:
        frames, durations = frames[1:], durations[1:]
    if name == "GIF":
        clear = animation.mode == "RGBA"
        frames = [_in_256_colours(frame) for frame in frames]
        options = options | {"optimize": False, "disposal": _CLEARED if clear else 1}
        options |= {} if animation.loop == 1 else {"loop": animation.loop}
    else:
        options = options | {"loop": animation.loop}
    if name == "PNG":  # whole frames that take the place of those before
        options |= {"default_image": cover, "disposal": 0, "blend": 0}
        durations = durations[1:] if cover else durations
    buffer = io.BytesIO()
    frames[0].save(buffer, name, save_all=True, append_images=frames[1:], duration=durations, **options)
    return buffer.getvalue()


def _in_256_colours(frame: Image.Image) -> Image.Image:
    """As a GIF holds it: 256 colours, or 255 and full transparency where a pixel is less than half opaque."""
    clear = frame.mode == "RGBA"
    made = frame.convert("RGB").quantize(
        255 if clear else 256, Image.Quantize.MEDIANCUT, kmeans=1, dither=Image.Dither.NONE
    )
    if clear:
        gone = np.asarray(frame.getchannel("A")) < 128
        palette = (made.getpalette() or []) + [0] * 768
        made = Image.fromarray(np.where(gone, 255, np.asarray(made)).astype(np.uint8), "L")
        made.putpalette(palette[:768])
        made.info["transparency"] = 255
    return made
