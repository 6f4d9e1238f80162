"""The four kinds of pixels that a mark is drawn on: grey or colour, with or without transparency."""

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from watermark.files.animation import Animation
    from watermark.files.deep import Deep

PLAIN = {"L", "LA", "RGB", "RGBA"}
CONVERTIBLE = PLAIN | {"1", "P", "PA", "La", "RGBa", "RGBX"}
"""Modes that lose nothing on the way to a plain one."""


def plain(image: Image.Image) -> Image.Image:
    """The same pixels as L, LA, RGB or RGBA, with every transparent palette entry or colour as transparency.

    A picture that is so already comes back itself, for a copy of a large one takes as long as decoding it.

    Raises:
        ValueError: for CMYK, LAB, YCbCr and more than 8 bits a channel, in one line.
    """
    if image.mode not in CONVERTIBLE:
        raise ValueError(f"expected 8 bits per channel, RGB or grey, got {image.mode}; convert it first")
    if image.mode in PLAIN and not {"transparency", "palette"} & image.info.keys():
        return image
    if image.mode == "P":
        made = _of_palette(image)
    elif "transparency" in image.info and image.mode in ("1", "L", "RGB"):
        made = _keyed(image)
    else:
        made = image.convert(
            {"1": "L", "PA": "RGBA", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB"}.get(image.mode, image.mode)
        )
    made.info = {name: value for name, value in image.info.items() if name not in {"transparency", "palette"}}
    return made


def _of_palette(image: Image.Image) -> Image.Image:
    colours = np.asarray(image.getpalette("RGB") or [0, 0, 0], dtype=np.uint8).reshape(-1, 3)
    used = np.unique(np.asarray(image))
    grey = bool((colours[used[used < len(colours)]] == colours[used[used < len(colours)], :1]).all())
    transparent = "transparency" in image.info
    made = image.convert("RGBA" if transparent else "RGB")
    return made.convert("LA" if transparent else "L") if grey and b"GRAY" in _profile(image)[16:20] else made


def _profile(image: Image.Image) -> bytes:
    profile = image.info.get("icc_profile")
    return profile if isinstance(profile, bytes) else b""


def _keyed(image: Image.Image) -> Image.Image:
    """Transparency that one grey level or one colour stands for."""
    key = image.info["transparency"]
    made = image.convert("L") if image.mode == "1" else image.copy()
    made.info = {}
    pixels = np.asarray(made)
    if made.mode == "L":
        level = int(key) * (255 if image.mode == "1" and int(key) == 1 else 1)
        clear = pixels == level
    else:
        clear = (pixels == np.asarray(key, dtype=np.uint8)).all(-1)
    made.putalpha(Image.fromarray(np.where(clear, 0, 255).astype(np.uint8)))
    return made


def is_grey(image: "Image.Image | Deep | Animation") -> bool:
    """Whether a picture has one plane for colour, as its marked copy then has too."""
    return image.mode in {"1", "L", "LA", "La"}


def is_clear(image: "Image.Image | Deep | Animation") -> bool:
    """Whether anything of a picture of 8 bits shines through."""
    if not isinstance(image, Image.Image) or "A" not in image.getbands():
        return False
    return image.getchannel("A").getextrema() != (255, 255)


def on_white(image: Image.Image) -> Image.Image:
    """A picture for formats without transparency; grey stays grey."""
    if image.mode not in {"RGBA", "LA"}:
        return image
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image.convert("RGBA"))
    made = white.convert("L" if image.mode == "LA" else "RGB")
    made.info = dict(image.info)
    return made


TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture of each EXIF orientation stand upright."""


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turned as its orientation says."""
    return image.transpose(TURNS[orientation]) if orientation in TURNS else image
