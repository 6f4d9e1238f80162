"""Mark one file and believe only what was written: the file is read back before it gets its name.

What is told of it (PSNR, whether it can be read, what a re-saving would leave) is of the written bytes, after chroma
subsampling, quantisation and rounding.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from watermark import files
from watermark.depth import embed_deep
from watermark.detection import Detection
from watermark.errors import UserError
from watermark.files import Animation, Deep, metadata
from watermark.files.formats import OF_FRAMES
from watermark.metrics.psnr import psnr_of_arrays
from watermark.shown import reason, shown
from watermark.watermarker import Watermarker

STEP, FLOOR = 3.0, 30.0
"""dB by which the quality is lowered to make a mark readable, and below which it never is."""
PREFLIGHTS = ("none", "quick", "thorough")


@dataclass(frozen=True)
class Resaving:
    """What the world does to a picture on an ordinary day.

    Attributes:
        quality: of the JPEG that it is saved as.
        longest: longer side to which it is reduced first, px.
        kept: share of each side that a crop leaves.
    """

    quality: int
    longest: int | None = None
    kept: float = 1.0

    def __str__(self) -> str:
        before = f"{self.longest} px + " if self.longest else ""
        return f"{before}{f'crop {self.kept:g} + ' if self.kept < 1 else ''}JPEG {self.quality}"

    def __call__(self, image: Image.Image) -> Image.Image:
        """The picture after it."""
        image = image if image.mode == "RGB" else image.convert("RGB")
        if self.kept < 1:
            width, height = round(image.width * self.kept), round(image.height * self.kept)
            left, top = (image.width - width) // 2, (image.height - height) // 2
            image = image.crop((left, top, left + width, top + height))
        if self.longest and max(image.size) > self.longest:
            scale = self.longest / max(image.size)
            size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
            image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)  # boxes first where it is far larger
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=self.quality)
        return files.decode(buffer.getvalue(), "re-saved picture")


QUICK = (Resaving(70), Resaving(60, longest=1280))
THOROUGH = (*QUICK, Resaving(40), Resaving(60, longest=640), Resaving(75, kept=0.7))


class MarkLostError(UserError):
    """The mark cannot be read back from what would be written; other options may help."""


@dataclass(frozen=True)
class Marked:
    """What was written.

    Attributes:
        psnr: dB of the file's pixels against the input's, as a viewer shows both; of an animation, its worst frame.
        psnr_of_frames: of each frame of an animation; of a still picture ``psnr`` alone.
        log10_p: of the mark, read from the file.
        target_psnr: what the scheme was asked for; lower than its setting where the mark had to be strengthened.
        lost: metadata that the format cannot hold, by name.
        dropped: metadata that would be untrue of a marked picture, by name.
        weak: re-savings after which the mark would not be found, each with its ``log10_p``.
        quality: at which a JPEG was saved for it lost the mark at its own; None for all others.
    """

    psnr: float
    psnr_of_frames: tuple[float, ...]
    log10_p: float
    target_psnr: float | None
    lost: tuple[str, ...]
    dropped: tuple[str, ...]
    weak: tuple[tuple[str, float], ...]
    quality: int | None


@dataclass(frozen=True)
class _Attempt:
    encoded: files.Encoded
    written: files.Picture
    found: Detection
    is_right: bool
    weak: tuple[tuple[str, float], ...]
    target_psnr: float | None

    @property
    def lack(self) -> float:
        """After how many re-savings the mark is not found; infinite where the file itself does not hold it."""
        return len(self.weak) if self.is_right else float("inf")


def mark_file(
    marker: Watermarker,
    source: Path,
    target: Path,
    provider_id: int,
    content_id: int,
    *,
    overwrite: bool = False,
    quality: int | None = None,
    preflight: str = "quick",
    stronger: Callable[[float], Watermarker] | None = None,
    every_frame: bool = False,
) -> Marked:
    """Mark a picture file.

    Args:
        marker: with which the mark is read back; detection later has no other.
        source: a picture.
        target: the marked file, whose suffix decides the format.
        provider_id: who made it.
        content_id: which picture it is.
        overwrite: replace ``target``.
        quality: of a lossy format, 1 to 100; None keeps a JPEG's own, or takes a higher one where that loses the mark.
        preflight: which everyday re-savings the mark is read after: ``none``, ``quick`` or ``thorough``.
        stronger: builds the marker for a lower target PSNR. Where it is given, quality is lowered step by step until
            the mark is read from the file and after every re-saving of the pre-flight.
        every_frame: mark every frame of an animation, all with the same IDs, instead of refusing it.

    Raises:
        UserError: the file cannot be read or written.
        MarkLostError: the mark cannot be read back from what would be written.
    """
    if target.suffix.lower() in OF_FRAMES and not every_frame:
        kind = target.suffix.lower()
        said = f"{shown(target)}: cannot write {kind} as one still picture; say --every-frame, which marks every frame"
        raise UserError(f"{said}, or name another file such as {shown(target.with_suffix('.png').name)}")
    files.check_target(target, overwrite, every_frame=every_frame)
    try:
        image = files.load_any(source, every_frame=every_frame)
    except files.SeveralFramesError as error:
        raise UserError(f"{error}; --every-frame marks them all") from None
    with files.Staged(target, overwrite=overwrite) as staged:
        for asked in files.qualities(image, target, quality):
            best = _best(
                _attempts(marker, image, (source, target), (provider_id, content_id), asked, preflight, stronger)
            )
            if best.is_right:
                break
        else:
            raise MarkLostError(
                f"{shown(target)}: not written, for the mark cannot be read back from it (log10 p "
                f"{best.found.log10_p:.1f}); {_advice(image, target, quality, stronger is not None)}"
            )
        staged.write(best.encoded.content)
        staged.release()
    frames = _psnr(best.written, image)
    return Marked(
        psnr=min(frames),
        psnr_of_frames=tuple(frames),
        log10_p=best.found.log10_p,
        target_psnr=best.target_psnr,
        lost=best.encoded.lost,
        dropped=metadata.of(image).dropped,
        weak=best.weak,
        quality=asked if asked != quality else None,
    )


def _best(attempts: Iterator[_Attempt]) -> _Attempt:
    """The first that lacks nothing, else the faintest of those that lack least: stronger is not always better."""
    best = next(attempts)
    while best.lack and (attempt := next(attempts, None)) is not None:
        best = attempt if attempt.lack < best.lack else best
    return best


def _attempts(
    marker: Watermarker,
    image: files.Picture,
    paths: tuple[Path, Path],
    ids: tuple[int, int],
    quality: int | None,
    preflight: str,
    stronger: Callable[[float], Watermarker] | None,
) -> Iterator[_Attempt]:
    """The mark as set, then stronger and stronger where that may be."""
    resavings = {"none": (), "quick": QUICK, "thorough": THOROUGH}[preflight]
    writer = marker
    while True:
        try:
            marked = _marked(writer, image, ids)
        except (ValueError, TypeError) as error:
            raise UserError(f"{shown(paths[0])}: {reason(error)}") from None
        encoded = files.encode(marked, paths[1], quality)
        written = files.decode_any(encoded.content, paths[1], every_frame=isinstance(image, Animation))
        seen = written if isinstance(written, Image.Image) else files.decode(encoded.content, paths[1], strict=False)
        found = marker.detect(seen)
        right = _says(found, ids)
        answers = [(str(one), marker.detect(one(seen))) for one in resavings] if right else []
        weak = tuple((name, answer.log10_p) for name, answer in answers if not _says(answer, ids))
        target = writer.scheme.target_psnr
        yield _Attempt(encoded, written, found, right, weak, target)
        if stronger is None or target is None or target - STEP < FLOOR:
            return
        writer = stronger(target - STEP)


def _says(found: Detection, ids: tuple[int, int]) -> bool:
    return found.is_marked and (found.provider_id, found.content_id) == ids


def _marked(marker: Watermarker, image: files.Picture, ids: tuple[int, int]) -> files.Picture:
    if isinstance(image, Deep):
        return embed_deep(marker, image, *ids)
    if isinstance(image, Animation):
        return image.with_frames([marker.embed(frame, *ids) for frame in image.frames])
    return marker.embed(image, *ids)


def _psnr(written: files.Picture, given: files.Picture) -> list[float]:
    """PSNR in dB of what was written, as a viewer shows both; of each frame."""
    if isinstance(given, Deep) and isinstance(written, Deep):
        return [psnr_of_arrays(written.colour, given.at(written.bits).colour, written.levels)]
    if isinstance(given, Animation) and isinstance(written, Image.Image):  # its frames have become one
        written = Animation((written,), (sum(given.durations),), given.loop)
    if isinstance(given, Animation) and isinstance(written, Animation):
        return [psnr_of_pictures(*pair) for pair in files.together(written, given)]
    assert isinstance(given, Image.Image)
    assert isinstance(written, Image.Image)
    return [psnr_of_pictures(written, files.fit_mode(given, "JPEG" if written.mode in {"RGB", "L"} else "PNG"))]


def _advice(image: files.Picture, target: Path, quality: int | None, ensured: bool) -> str:
    hints = [] if ensured else ["--ensure marks it more strongly"]
    if quality is not None and quality < 50:
        hints.append("a higher --quality helps")
    if quality is None and files.own_quality(image, target) is not None:
        hints.append("another --quality may keep it")
    if min(image.size) < 256:
        hints.append("a larger picture helps")
    return ", ".join(hints) or "such a picture cannot carry this mark"


def psnr_of_pictures(image: Image.Image, reference: Image.Image) -> float:
    """PSNR over RGB in dB of two 8-bit pictures of one size, by OpenCV in bytes; ``inf`` where they are equal.

    The same number as ``watermark.metrics.psnr``, without floats of the whole pictures; transparency is left out.
    """
    first, second = (np.asarray(one if one.mode == "RGB" else one.convert("RGB")) for one in (image, reference))
    return psnr_of_arrays(first, second, 255)
