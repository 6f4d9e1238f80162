"""Pictures on disk: read what can be read rightly, refuse the rest in one line, write all or nothing.

``load`` and ``save`` are a pair: a picture comes upright, its ``info`` holds the file's metadata as bytes, and ``save``
sets them into the new file, whatever its format. ``door`` is the only place that opens a picture.
"""

from watermark.files.animation import Animation, SeveralFramesError, together
from watermark.files.deep import Deep
from watermark.files.door import (
    Header,
    decode,
    decode_any,
    header_of,
    load,
    load_8bit,
    load_any,
    look,
    metadata_of,
    read_bytes,
)
from watermark.files.folders import check_apart, find_pictures, is_below, is_one_file, passed_over_line, targets
from watermark.files.limits import DEFAULT_MAX_PIXELS, max_pixels, set_max_pixels
from watermark.files.reading import read_regular
from watermark.files.whole import Staged, sweep, write_whole
from watermark.files.writing import Encoded, Picture, check_target, encode, fit_mode, own_quality, qualities, save

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "Animation",
    "Deep",
    "Encoded",
    "Header",
    "Picture",
    "SeveralFramesError",
    "Staged",
    "check_apart",
    "check_target",
    "decode",
    "decode_any",
    "encode",
    "find_pictures",
    "fit_mode",
    "header_of",
    "is_below",
    "is_one_file",
    "load",
    "load_8bit",
    "load_any",
    "look",
    "max_pixels",
    "metadata_of",
    "own_quality",
    "passed_over_line",
    "qualities",
    "read_bytes",
    "read_regular",
    "save",
    "set_max_pixels",
    "sweep",
    "targets",
    "together",
    "write_whole",
]
