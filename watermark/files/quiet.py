"""libtiff writes lines of its own to the standard error; here they are turned off, for a file has one line, ours."""

import ctypes
import sys
from functools import cache
from pathlib import Path

import PIL


@cache
def silence_libtiff() -> None:
    """Once: take its handlers of errors and warnings away, where the library that Pillow has loaded can be found.

    What was wrong is told by the exception that Pillow raises. Where libtiff is linked into Pillow itself (Windows)
    nothing is found and its lines stay.
    """
    packages = Path(PIL.__file__).parent.parent
    shipped = [*packages.glob("[Pp]illow.libs/libtiff-*"), *packages.glob("PIL/.dylibs/libtiff.*")]
    system = ["libtiff.so.6", "libtiff.so.5"] if sys.platform == "linux" and not shipped else []
    for path in (*shipped, *system):
        try:
            library = ctypes.CDLL(str(path))
            for handler in (library.TIFFSetErrorHandler, library.TIFFSetWarningHandler):
                handler.argtypes, handler.restype = [ctypes.c_void_p], ctypes.c_void_p
                handler(None)
        except (OSError, AttributeError):
            continue
