"""What was read of pictures, reading by reading, and where each was taken."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from watermark.schemes.base import Readout
from watermark.synchronization import Alignment


@dataclass(frozen=True)
class Look:
    """What was read, and where.

    Attributes:
        readings: ``(N, R, K)`` soft bits of every reading, the likeliest first; zero where a picture has fewer.
        where: ``(N, R)`` the alignment of every reading, in px of the picture at its working size (``draw.reduced``).
        slant: ``(N, R, 2)`` by which that picture was ``straightened`` for it; zero where it was not.
    """

    readings: Tensor
    where: Alignment
    slant: Tensor

    @property
    def readout(self) -> Readout:
        """As ``Scheme.read`` answers."""
        return Readout.of(self.readings[:, 0], self.readings[:, 1:] if self.readings.shape[1] > 1 else None)

    def after(self, which: Tensor, first: "Look") -> "Look":
        """Pictures ``which`` ``(M,)`` have the readings of ``first`` before these."""
        count = first.readings.shape[1]
        readings, slant = (F.pad(values, (0, 0, 0, count)) for values in (self.readings, self.slant))
        where = self.where.joined(Alignment.none(len(readings), count, self.where.matrix))
        readings[which] = torch.cat([first.readings, self.readings[which]], 1)
        slant[which] = torch.cat([first.slant, self.slant[which]], 1)
        return Look(readings, where.replaced(which, first.where.joined(self.where.select(which))), slant)
