"""How large a picture may be: one setting, looked at before anything is decoded."""

import os

from watermark.errors import UserError

DEFAULT_MAX_PIXELS = 50_000_000
VARIABLE = "WATERMARK_MAX_PIXELS"
"""The environment variable that holds the setting, so that worker processes have it too."""
MAX_SIDE = 65_535
"""Px; no format that marks are written to but PNG and TIFF goes beyond."""
MAX_ASPECT = 200
"""Longer side to shorter side; a thread of pixels cannot carry a mark and takes as long as a picture."""
BYTES_A_PIXEL = 16
"""Of a file, for every pixel that is allowed: twice what four channels of 16 bits take that are not packed."""


class TooLargeError(UserError):
    """The picture has more pixels than are allowed."""


def max_pixels() -> int:
    """The greatest number of pixels that a file may have.

    Raises:
        UserError: the environment variable holds no positive whole number.
    """
    text = os.environ.get(VARIABLE, str(DEFAULT_MAX_PIXELS))
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise UserError(f"{VARIABLE}: expected a positive whole number of pixels, got {text[:40]!r}")
    return number


def max_file_bytes() -> int:
    """The greatest size of a picture file: one that is read is held in memory."""
    return max(2**26, BYTES_A_PIXEL * max_pixels())


def set_max_pixels(number: int) -> None:
    """Change the limit for this process and those that it starts."""
    if number < 1:
        raise UserError(f"--max-pixels: expected a positive whole number, got {number}")
    os.environ[VARIABLE] = str(number)


def check_size(name: object, width: int, height: int) -> None:
    """Refuse a picture that is larger than allowed.

    Raises:
        TooLargeError: with its size, the limit and how to raise it.
        UserError: it has no pixels, or its sides are out of proportion.
    """
    if width < 1 or height < 1:
        raise UserError(f"{name}: expected a picture with pixels, got {width}x{height}")
    if width * height > max_pixels():
        raise TooLargeError(
            f"{name}: {width}x{height} is {width * height / 1e6:.1f} Mpx, the limit is {max_pixels() / 1e6:g} "
            f"(--max-pixels or {VARIABLE} raises it)"
        )
    if max(width, height) > MAX_SIDE or max(width, height) > MAX_ASPECT * min(width, height):
        raise UserError(
            f"{name}: expected sides of at most {MAX_SIDE} px, the longer at most {MAX_ASPECT} times the shorter, "
            f"got {width}x{height}"
        )
