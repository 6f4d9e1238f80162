"""The error that a person should read: one clear line, no traceback."""

import difflib
import logging
import os
from collections.abc import Iterable

TRACEBACK = "WATERMARK_TRACEBACK"
"""The variable of the environment with which a person asks where an error came from."""


class UserError(Exception):
    """Something the person who called can put right: a file, an option, a key or a setting.

    The message is one line that says what was expected and what was given; the command line prints it and exits
    with status 2. It never contains a key.

    Example:
        >>> raise UserError("--quality: expected 1 to 100, got 200")
        Traceback (most recent call last):
        watermark.errors.UserError: --quality: expected 1 to 100, got 200
    """


def show_origin(error: BaseException) -> None:
    """Log the traceback of an error that becomes one line, where the environment asks for it."""
    if os.environ.get(TRACEBACK):
        logging.getLogger(__name__).error("traceback", exc_info=error)


def show_unexpected(error: BaseException) -> None:
    """The same of an error that is about one of many files, unless that file or its person is to blame."""
    if not isinstance(error, UserError | OSError):
        show_origin(error)


def meant(given: str, known: Iterable[str]) -> str:
    """Half a line for a name that is nearly a known one or begins one: `` (did you mean X?)``, else nothing.

    Example:
        >>> meant("tile-spred", ["learned", "tile_spread"]), meant("mine", ["learned"]), meant("tile", ["tile_spread"])
        (' (did you mean tile_spread?)', '', ' (did you mean tile_spread?)')
    """
    names = list(known)
    begun = sorted((name for name in names if given and name.startswith(given)), key=len)
    near = difflib.get_close_matches(given, names, 1, 0.7) or begun
    return f" (did you mean {near[0]}?)" if near else ""
