"""One marked picture through a suite of attacks: is the mark still found, how sure, and what had to be undone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from PIL import Image

from watermark.detection import Detection
from watermark.evaluation.suite import Cell
from watermark.pixels import ready, to_tensor
from watermark.schemes.lattice.scheme import LatticeScheme
from watermark.synchronization.change import change
from watermark.watermarker import Watermarker

if TYPE_CHECKING:
    from watermark.synchronization import Alignment


@dataclass(frozen=True)
class Trial:
    """One attack on the picture.

    Attributes:
        attack: its name in the suite.
        parameter: what is swept, None where nothing is.
        strength: its value.
        event: what the attack stands for.
        picture: the attacked picture, 8-bit RGB.
        found: what was read from it.
        survives: marked, and with the IDs of the file; where they are too uncertain to be named, marked is enough.
        undone: what the reader had to undo, in words; empty where nothing moved or the scheme does not say.
    """

    attack: str
    parameter: str | None
    strength: float | None
    event: str
    picture: Image.Image
    found: Detection
    survives: bool
    undone: str

    @property
    def title(self) -> str:
        """``jpeg, quality 50``."""
        return self.attack + (f", {self.parameter} {self.strength:g}" if self.parameter else "")


def torture(
    marker: Watermarker, picture: Image.Image, found: Detection, cells: Iterable[Cell], seed: int = 0
) -> Iterator[Trial]:
    """Attack a marked picture, one cell after the other, each on the picture as it was given.

    Args:
        marker: reads the mark.
        picture: the marked picture.
        found: what ``marker`` reads from it.
        cells: of a suite; the unattacked one is left out.
        seed: of every attack's draw.
    """
    whole = ready(picture).convert("RGB")
    where = align(marker, whole)
    for cell in cells:
        if cell.attack is None:
            continue
        attacked = cell.attack.picture(whole, seed)
        now = marker.detect(attacked)
        same = now.name_uncertain is not None or (now.provider_id, now.content_id) == (
            found.provider_id,
            found.content_id,
        )
        survives = now.is_marked and (same or found.provider_id is None)
        moved = undone(marker, where, whole, attacked) if survives and now.reading == 0 else ""
        yield Trial(cell.name, cell.parameter, cell.strength, cell.attack.reproduces, attacked, now, survives, moved)


def align(marker: Watermarker, picture: Image.Image) -> "Alignment | None":
    """Where the mark lies in an RGB picture; None if the scheme does not say."""
    if not isinstance(marker.scheme, LatticeScheme):
        return None
    return marker.scheme.align(to_tensor(picture).to(marker.device))


@torch.no_grad()
def undone(marker: Watermarker, before: "Alignment | None", picture: Image.Image, attacked: Image.Image) -> str:
    """What the reader had to undo, in words.

    Args:
        marker: read both pictures.
        before: where the mark lies in ``picture``.
        picture: the marked picture, RGB.
        attacked: what became of it, RGB.
    """
    now = align(marker, attacked)
    if before is None or now is None:
        return ""
    sizes = (picture.height, picture.width), (attacked.height, attacked.width)
    return change(before, now, *sizes)[0].words()
