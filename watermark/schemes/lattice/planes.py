"""Two colour planes for one mark: luma, and a colour difference that points the way luma leaks into it.

With the opposite sign of the difference the two planes of one mark would cancel where a step along the luma vector
moves both.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from watermark.transforms.color import LUMA
from watermark.transforms.exact import exact


@dataclass(frozen=True)
class Planes:
    """How the planes are read from RGB, and along which RGB vectors they are written.

    Attributes:
        read: second plane in RGB; the first is luma (ITU-R BT.601).
        write: RGB direction of the second plane, at constant luma; the first moves along the luma weights.
    """

    read: tuple[float, float, float]
    write: tuple[float, float, float]

    @exact
    def split(self, images: Tensor) -> Tensor:
        """RGB ``(N, 3, H, W)`` in [0, 1] to the planes ``(N, 2, H, W)`` in grey levels (0 to 255)."""
        return torch.einsum("nchw,pc->nphw", images, 255 * images.new_tensor([LUMA, self.read]))

    @exact
    def merge(self, change: Tensor) -> Tensor:
        """A change of the planes ``(N, 2, H, W)``, each along a unit vector, to RGB ``(N, 3, H, W)``."""
        directions = F.normalize(change.new_tensor([LUMA, self.write]), dim=1)
        return torch.einsum("nphw,pc->nchw", change, directions)


CYAN = Planes(read=(-0.5, 0.418688, 0.081312), write=(-1.402, 0.714136, 0.0))
"""Luma and minus red difference, where untrained whitening finds a picture quiet."""
YELLOW = Planes(read=(0.168736, 0.331264, -0.5), write=(0.0, 0.344136, -1.772))
"""Luma and minus blue difference, where the eye sees least."""
