"""A mark that somebody else puts on and reads: nothing here embeds it, and no theory bounds its false alarms."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image


@dataclass(frozen=True)
class Answer:
    """What a detector says of a picture.

    Attributes:
        found: it sees a mark.
        wrong_bits: of ``OutsideMark.message_bits``, how many it read wrong; None where it reads none.
    """

    found: bool
    wrong_bits: int | None = None


class OutsideMark(ABC):
    """A detector of somebody else, and where the pictures lie that he marked. No ``Scheme``: it cannot mark.

    Its answer proves nothing by itself, so it has no p-value and names nobody; the false alarms that are counted on
    unmarked pictures are all that says how far a "found" is to be believed.

    Args:
        marked: folder of the marked pictures, each under the name of its original, whatever the suffix; None: the
            pictures that are measured carry the mark themselves, and there are no originals.
    """

    message_bits: int = 0
    """Bits that the detector reads and that are known."""

    def __init__(self, marked: str | None = None) -> None:
        self.marked = marked

    @abstractmethod
    def ask(self, picture: Image.Image) -> Answer:
        """Look at a picture, 8-bit RGB; whatever it raises is no answer."""

    def files(self) -> Sequence[Path]:
        """Files that decide the answers, as far as they are known: another content makes another run."""
        return ()
