"""Is this what the released picture looked like? A short hash, and a thumbnail that finds a crop's place first.

The hash is pHash (Zauner, 2010): the signs of the 8x8 lowest frequencies of a 32x32 grey copy, against their median.
It stays near under re-saving, resizing and colour, and is far after a crop or a flip. So the registry keeps a grey
thumbnail too: the picture in hand is laid over it at every scale, place and orientation, and hashed against that part;
and the other way round, for a screenshot with something around the picture.
"""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn
from skimage.feature import match_template

from watermark.errors import UserError

THRESHOLD = 10
"""Largest distance of two whole pictures called the same; measured, see results/published/identity."""
ALIGNED_THRESHOLD = 8
"""The same for the best of many alignments, which brings other pictures nearer too."""
SIDE = 48  # longer side of the thumbnail, px
SCALES = tuple(0.94**step for step in range(15))  # a crop may keep down to 42 % of a side
ANGLES = (2.0, -2.0, 4.0, -4.0)  # degrees
_FLIPS = (None, *Image.Transpose)  # the eight ways a picture can be turned and mirrored
_PREFIX, _THUMBNAIL_PREFIX = "phash64:", "grey48:"

Grey = NDArray[np.float32]


@dataclass(frozen=True)
class Likeness:
    """How far a picture is from the released one.

    Attributes:
        whole: differing bits of 64 between the two whole pictures.
        aligned: distance to the part of the thumbnail where the picture fits best; None if ``whole`` was enough or
            there is no thumbnail.
        found_as: how that part was found, for instance ``"flip left right, covers 0.74 of the side"``; ``framed``
            means that the picture holds the released one with something around it.
    """

    whole: int
    aligned: int | None = None
    found_as: str = "whole picture"

    @property
    def distance(self) -> int:
        """The distance that was decided by."""
        return self.whole if self.aligned is None else self.aligned

    @property
    def is_same(self) -> bool:
        """Whether this is called the same picture."""
        return self.whole <= THRESHOLD or (self.aligned is not None and self.aligned <= ALIGNED_THRESHOLD)


def perceptual_hash(image: Image.Image) -> str:
    """``"phash64:"`` and 16 hexadecimal digits of any PIL image."""
    return f"{_PREFIX}{_hash_bits(_grey(image).resize((32, 32), Image.Resampling.LANCZOS)):016x}"


def thumbnail(image: Image.Image) -> str:
    """The grey copy that a registry keeps: ``"grey48:"``, its size and its bytes in Base64, about 2 kB."""
    small = _shrink(_grey(image), SIDE / max(image.size), least=8)
    return f"{_THUMBNAIL_PREFIX}{small.width}x{small.height}:{base64.b64encode(small.tobytes()).decode()}"


def hash_distance(first: str, second: str) -> int:
    """Differing bits, 0 to 64.

    Raises:
        UserError: for a hash of another kind.
    """
    try:
        if not (first.startswith(_PREFIX) and second.startswith(_PREFIX)):
            raise ValueError
        return (int(first[len(_PREFIX) :], 16) ^ int(second[len(_PREFIX) :], 16)).bit_count()
    except ValueError:
        raise UserError(f"expected two hashes {_PREFIX}<16 digits>, got {first[:28]!r} and {second[:28]!r}") from None


def compare(image: Image.Image, released_hash: str, released_thumbnail: str | None = None) -> Likeness:
    """Compare a picture with what the registry keeps of the released one.

    Args:
        image: the picture in hand.
        released_hash: from ``perceptual_hash``.
        released_thumbnail: from ``thumbnail``; without it a cropped or turned picture counts as another one.

    Raises:
        UserError: the kept values have another shape.
    """
    whole = hash_distance(perceptual_hash(image), released_hash)
    if whole <= THRESHOLD or not released_thumbnail:
        return Likeness(whole)
    target, best, found_as = _thumbnail_array(released_thumbnail), 65, ""
    for name, part, whole_picture in _arrangements(_grey(image), target):
        distance, scale = _aligned_distance(part, whole_picture)
        if distance < best:
            best, found_as = distance, f"{name}, covers {scale:.2f} of the side"
        if best <= ALIGNED_THRESHOLD:
            break
    return Likeness(whole, best, found_as)


def _arrangements(grey: Image.Image, released: Grey) -> Iterator[tuple[str, Image.Image, Grey]]:
    """What may be a part of what: the picture of the released one, or the released one of the picture (a page)."""
    for number, (name, turned) in enumerate(_orientations(grey)):
        yield name, turned, released
        if number == 0:
            page = np.asarray(_shrink(grey, SIDE / max(grey.size), least=8), dtype=np.float32)
            yield "framed", Image.fromarray(released.astype(np.uint8)), page


def _orientations(grey: Image.Image) -> Iterator[tuple[str, Image.Image]]:
    grey = _shrink(grey, min(1.0, 4 * SIDE / max(grey.size)), least=8)
    for flip in _FLIPS:
        name = "upright" if flip is None else flip.name.lower().replace("_", " ")
        yield name, grey if flip is None else grey.transpose(flip)
    for angle in ANGLES:
        inner = 1 - abs(np.sin(np.radians(angle))) * max(grey.size) / min(grey.size)  # leave the empty corners out
        if inner * min(grey.size) < 8:  # too narrow to be turned
            continue
        turned = grey.rotate(angle, Image.Resampling.BICUBIC)
        width, height = round(grey.width * inner), round(grey.height * inner)
        left, top = (grey.width - width) // 2, (grey.height - height) // 2
        yield f"turned {angle:+.0f} degrees", turned.crop((left, top, left + width, top + height))


def _aligned_distance(query: Image.Image, target: Grey) -> tuple[int, float]:
    """The least hash distance over the three scales that correlate best, and the scale."""
    height, width = target.shape
    fits = []
    for scale in SCALES:
        small = _shrink(query, scale * min(width / query.width, height / query.height), least=1)
        part = np.asarray(small, dtype=np.float32)
        if min(part.shape) < 8 or part.std() < 1 or part.shape[0] > height or part.shape[1] > width:
            continue
        correlation = match_template(target, part)
        top, left = np.unravel_index(int(correlation.argmax()), correlation.shape)
        fits.append((float(correlation.max()), scale, part, target[top:, left:][: part.shape[0], : part.shape[1]]))
    fits.sort(key=lambda fit: -fit[0])
    distances = [((_array_bits(part) ^ _array_bits(place)).bit_count(), scale) for _, scale, part, place in fits[:3]]
    return min(distances, default=(64, 1.0))


def _grey(image: Image.Image) -> Image.Image:
    return image.convert("RGB").convert("L")


def _shrink(grey: Image.Image, factor: float, least: int) -> Image.Image:
    size = (max(least, round(grey.width * factor)), max(least, round(grey.height * factor)))
    return grey.resize(size, Image.Resampling.BOX)


def _array_bits(part: Grey) -> int:
    return _hash_bits(Image.fromarray(part).resize((32, 32), Image.Resampling.BICUBIC))


def _hash_bits(square: Image.Image) -> int:
    low = dctn(np.asarray(square, dtype=np.float64), norm="ortho")[:8, :8].ravel()
    bits = low > np.median(low[1:])  # the mean brightness has no say in the median
    return int("".join("1" if bit else "0" for bit in bits), 2)


def _thumbnail_array(text: str) -> Grey:
    try:
        prefix, size, data = text.rsplit(":", 2)
        width, height = (int(side) for side in size.split("x"))
        if f"{prefix}:" != _THUMBNAIL_PREFIX or not (1 <= width <= SIDE and 1 <= height <= SIDE):
            raise ValueError
        raw = np.frombuffer(base64.b64decode(data, validate=True), dtype=np.uint8)
        return raw.reshape(height, width).astype(np.float32)
    except (ValueError, binascii.Error):
        expected = f"{_THUMBNAIL_PREFIX}<width>x<height>:<Base64>"
        raise UserError(f"expected a thumbnail {expected}, got {text[:28]!r}") from None
