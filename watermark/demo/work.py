"""What the demo does to a picture, without a page: mark it, attack it, read it."""

from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageChops

from attacks.base import Attack
from attacks.compose import Chain
from attacks.compression import Jpeg
from attacks.crop import Crop
from attacks.filters import GaussianBlur
from attacks.noise import GaussianNoise
from attacks.photometric import Brightness
from attacks.resize import Resize
from attacks.rotation import Rotation
from attacks.screenshot import Screenshot
from watermark.detection import Detection
from watermark.detection.words import said
from watermark.evaluation.torture import align, undone
from watermark.keys import Key
from watermark.metrics.psnr import psnr
from watermark.pixels import ready, to_tensor
from watermark.watermarker import Watermarker

LONGEST = 1024
"""px: larger pictures are reduced to it, so that an answer comes while somebody waits."""
TIMES = 20
"""How many times stronger the difference is shown."""
SCREEN = 0.67
"""Displayed pixels per picture pixel of the screenshot."""


@dataclass(frozen=True)
class Mark:
    """How a picture is to be marked.

    Attributes:
        scheme: a name under ``configs/scheme``.
        target_psnr: dB; higher is fainter.
        provider_id: who.
        content_id: which picture.
    """

    scheme: str
    target_psnr: float
    provider_id: int
    content_id: int


@dataclass(frozen=True)
class Harm:
    """What happens to the picture, in this order; each at the value that changes nothing.

    Attributes:
        degrees: turn counter-clockwise, -180 to 180; what is black in the corners is kept.
        area: share of the picture that is kept, a rectangle in its middle.
        scale: of each side.
        brightness: factor.
        blur: sigma in px.
        noise: standard deviation in 8-bit levels.
        screenshot: shown on a page at two thirds of its size and cut out by hand.
        quality: of the JPEG that is saved at the end; None saves none.
    """

    degrees: float = 0.0
    area: float = 1.0
    scale: float = 1.0
    brightness: float = 1.0
    blur: float = 0.0
    noise: float = 0.0
    screenshot: bool = False
    quality: int | None = None

    def attack(self) -> Attack | None:
        """All of it as one attack; None if nothing happens."""
        steps: list[Attack] = [
            Rotation(self.degrees),
            Crop(self.area, position="center"),
            Resize(self.scale),
            Brightness(self.brightness),
            GaussianBlur(self.blur),
            GaussianNoise(self.noise / 255),
        ]
        steps = [step for step in steps if step.strength != step.neutral]
        steps += [Screenshot(SCREEN)] if self.screenshot else []
        steps += [] if self.quality is None else [Jpeg(self.quality)]
        return Chain(1.0, steps) if steps else None


@dataclass(frozen=True)
class Answer:
    """What was read.

    Attributes:
        found: by the detector.
        undone: what the reader had to undo, in words; empty where nothing moved or the scheme does not say.
    """

    found: Detection
    undone: str = ""

    def words(self) -> str:
        """In the words of ``watermark detect``."""
        return said(self.found)


class Markers:
    """All that mark and read under one key.

    Args:
        key: the secret of all marks made here.
        device: see ``Watermarker.load``.
    """

    def __init__(self, key: Key, device: str = "auto") -> None:
        self._load = lru_cache(maxsize=8)(
            lambda scheme, target_psnr: Watermarker.load(scheme, key=key, device=device, target_psnr=target_psnr)
        )

    def of(self, mark: Mark) -> Watermarker:
        """The marker of these settings.

        Raises:
            ValueError: for an unknown scheme or a strength that it refuses.
        """
        return self._load(mark.scheme, mark.target_psnr)

    def mark(self, picture: Image.Image, mark: Mark) -> Image.Image:
        """The picture with the mark.

        Raises:
            ValueError: if an ID does not fit, or the picture is too small.
        """
        return self.of(mark).embed(picture, mark.provider_id, mark.content_id)

    def read(self, mark: Mark, marked: Image.Image, attacked: Image.Image) -> Answer:
        """What ``attacked``, made of ``marked``, still says."""
        marker = self.of(mark)
        found = marker.detect(attacked)
        if not found.is_marked or found.reading != 0:
            return Answer(found)
        return Answer(found, undone(marker, align(marker, marked), marked, attacked))


def fitted(picture: Image.Image) -> Image.Image:
    """8-bit RGB, no side longer than ``LONGEST``."""
    picture = ready(picture).convert("RGB")
    picture.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    return picture


def harmed(picture: Image.Image, harm: Harm) -> Image.Image:
    """What becomes of a picture."""
    attack = harm.attack()
    return picture if attack is None else attack.picture(picture)


def difference(marked: Image.Image, picture: Image.Image) -> Image.Image:
    """Where the mark is: the change ``TIMES`` times stronger, about grey."""
    return ImageChops.subtract(marked, picture, scale=1 / TIMES, offset=128)


def distance(marked: Image.Image, picture: Image.Image) -> float:
    """PSNR in dB."""
    return float(psnr(to_tensor(marked), to_tensor(picture)))
