"""The label that people see: a short text on an edge or corner, as high as asked for.

The documented rule (GB 45438-2025, clause 5.2, as quoted by others) wants an AI element and a generation element in the
text, on an edge or corner, with a height of at least 5 % of the shortest side. No small free font holds the Chinese
characters, so the few that the default text needs are drawn here from strokes; any other text needs a font file.
"""

import math
import re
from pathlib import Path
from typing import Literal

from PIL import Image, ImageDraw, ImageFont

from watermark.errors import UserError

Corner = Literal["top-left", "top-right", "bottom-left", "bottom-right"]
LEAST_HEIGHT = 0.05  # of the shortest side
_OVERSAMPLING = 4
_WORDS = re.compile(r"(?=.*(人工智能|AI))(?=.*(生成|合成))", re.DOTALL)

Stroke = tuple[tuple[float, float], ...]
# character -> (width, strokes), in a box of height 1 with y downwards
GLYPHS: dict[str, tuple[float, tuple[Stroke, ...]]] = {
    "A": (0.72, (((0, 1), (0.36, 0), (0.72, 1)), ((0.14, 0.64), (0.58, 0.64)))),
    "I": (0.12, (((0.06, 0), (0.06, 1)),)),
    "生": (
        1.0,
        (
            ((0.28, 0.03), (0.2, 0.26), (0.06, 0.46)),
            ((0.2, 0.27), (0.92, 0.27)),
            ((0.15, 0.6), (0.87, 0.6)),
            ((0.02, 1), (0.98, 1)),
            ((0.54, 0), (0.54, 1)),
        ),
    ),
    "成": (
        1.0,
        (
            ((0.14, 0.23), (0.95, 0.23)),
            ((0.14, 0.23), (0.14, 0.6), (0.1, 0.82), (0.02, 1)),
            ((0.14, 0.5), (0.44, 0.5), (0.43, 0.72), (0.38, 0.83), (0.26, 0.79)),
            ((0.57, 0), (0.6, 0.36), (0.69, 0.68), (0.84, 0.93), (0.94, 1), (0.98, 0.78)),
            ((0.88, 0.4), (0.78, 0.62), (0.62, 0.82), (0.42, 0.98)),
            ((0.72, 0.02), (0.86, 0.13)),
        ),
    ),
    "合": (
        1.0,
        (
            ((0.5, 0), (0.32, 0.24), (0.02, 0.46)),
            ((0.5, 0), (0.68, 0.24), (0.98, 0.46)),
            ((0.28, 0.45), (0.72, 0.45)),
            ((0.2, 1), (0.2, 0.64), (0.8, 0.64), (0.8, 1), (0.2, 1)),
        ),
    ),
}


def add_visible_label(
    image: Image.Image,
    text: str = "AI生成",
    *,
    height: float = 0.06,
    corner: Corner = "bottom-right",
    font: Path | None = None,
) -> Image.Image:
    """A copy with the text in a corner, white on a dark plate so that it can be read on any picture.

    Args:
        image: any mode; the copy has the same one, and the same metadata.
        text: with an AI element (``人工智能`` or ``AI``) and a generation element (``生成`` or ``合成``).
        height: of the drawn characters (not of the font's em box) as a share of the shortest side, 0.05 to 0.5.
        corner: where.
        font: TrueType or OpenType file; None draws ``A I 生 成 合`` from built-in strokes.

    Raises:
        UserError: a text without the two elements, a character that cannot be drawn, a height out of range, or a
            picture too narrow for the text.
    """
    if not _WORDS.match(text):
        raise UserError(f"expected a visible label with 人工智能 or AI, and 生成 or 合成, got {text!r}")
    if not LEAST_HEIGHT <= height <= 0.5:
        raise UserError(f"expected a label height of 0.05 to 0.5 of the shortest side, got {height}")
    pixels = math.ceil(height * min(image.size))
    mask = _strokes(text, pixels) if font is None else _font(text, pixels, font)
    margin = max(2, pixels // 4)
    plate = (mask.width + 2 * margin, mask.height + 2 * margin)
    if plate[0] > image.width or plate[1] > image.height:
        raise UserError(f"the label needs {plate[0]}x{plate[1]} px, the picture has {image.width}x{image.height}")
    left = 0 if corner.endswith("left") else image.width - plate[0]
    top = 0 if corner.startswith("top") else image.height - plate[1]
    canvas = image.convert("RGBA" if "A" in image.mode or "transparency" in image.info else "RGB")
    shade = Image.new("L", plate, 170)
    canvas.paste(Image.new(canvas.mode, plate, "black"), (left, top), shade)
    canvas.paste(Image.new(canvas.mode, mask.size, "white"), (left + margin, top + margin), mask)
    labelled = canvas if image.mode in ("P", "PA", "1") else canvas.convert(image.mode)
    labelled.info = {name: value for name, value in image.info.items() if name != "transparency"}
    return labelled


def _strokes(text: str, pixels: int) -> Image.Image:
    missing = sorted({character for character in text if character not in GLYPHS})
    if missing:
        raise UserError(f"no built-in strokes for {' '.join(missing)}; name a font file that has them")
    scale, gap = pixels * _OVERSAMPLING, 0.22
    pen = max(_OVERSAMPLING, round(0.1 * scale))
    total = sum(GLYPHS[character][0] for character in text) + gap * (len(text) - 1)
    mask = Image.new("L", (round(total * (scale - pen)) + pen, scale))
    draw, at = ImageDraw.Draw(mask), 0.0
    for character in text:
        width, strokes = GLYPHS[character]
        for stroke in strokes:
            points = [((at + x) * (scale - pen) + pen / 2, y * (scale - pen) + pen / 2) for x, y in stroke]
            draw.line(points, fill=255, width=pen, joint="curve")
            for x, y in (points[0], points[-1]):
                draw.ellipse((x - pen / 2, y - pen / 2, x + pen / 2 - 1, y + pen / 2 - 1), fill=255)
        at += width + gap
    return mask.resize((math.ceil(mask.width / _OVERSAMPLING), pixels), Image.Resampling.BOX)


def _font(text: str, pixels: int, path: Path) -> Image.Image:
    size = float(pixels)
    try:
        for _ in range(8):  # grow until the drawn characters, not the em box, are as high as asked
            font = ImageFont.truetype(path, size)
            left, top, right, bottom = font.getbbox(text)
            if bottom - top >= pixels:
                break
            size *= max(1.02, pixels / max(1, bottom - top))
    except OSError as error:
        raise UserError(f"{path}: not a font file that can be read") from error
    nothing = bytes(font.getmask("\uffff"))
    missing = sorted({c for c in text if not c.isspace() and bytes(font.getmask(c)) == nothing})
    if missing:
        raise UserError(f"{path}: the font has no {' '.join(missing)}")
    mask = Image.new("L", (math.ceil(right - left), math.ceil(bottom - top)))
    ImageDraw.Draw(mask).text((-left, -top), text, fill=255, font=font)
    return mask
