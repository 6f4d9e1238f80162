"""A detector that is a function of Python, as a client of a closed service is one (SynthID and its like)."""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from watermark.config import locate
from watermark.errors import UserError
from watermark.schemes.outside import Answer, OutsideMark


class Function(OutsideMark):
    """Somebody else's function as the detector: a Pillow picture to True or False; whatever it raises is no answer.

    It is loaded once a process, so that a model may be loaded beside it.

    Args:
        function: ``FILE.py:NAME``, or the dotted name of one that can be imported; it is code, and it is run.
        marked: see ``OutsideMark``.

    Raises:
        UserError: if there is no such function.
    """

    def __init__(self, function: str, marked: str | None = None) -> None:
        super().__init__(marked)
        place, _, name = function.rpartition(":")
        self._file = Path(place) if place.endswith(".py") else None
        self._function = locate(function) if self._file is None else _in_file(self._file, name)
        if not callable(self._function):
            raise UserError(f"function: expected a function, got {function!a:.200}")

    def ask(self, picture: Image.Image) -> Answer:
        """See ``OutsideMark``.

        Raises:
            UserError: if it answers neither True nor False.
        """
        said = self._function(picture)
        if said is not True and said is not False and type(said).__name__ != "bool":  # NumPy's has that name as well
            raise UserError(f"the function answered {said!a:.60}; expected True or False")
        return Answer(bool(said))

    def files(self) -> Sequence[Path]:
        """The file that it is in, if it was named."""
        return [] if self._file is None else [self._file]


def _in_file(path: Path, name: str) -> Callable[..., Any]:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise UserError(f"function: expected FILE.py:NAME, got {path} (no such file)")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        return getattr(module, name)
    except Exception as error:  # the file is anybody's
        raise UserError(f"function: {path}: {type(error).__name__}: {error!s:.200}") from None
