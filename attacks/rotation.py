"""Turn or mirror the picture."""

import math
from typing import get_args

import torch
from torch import Tensor

from attacks.base import Attack, Generators
from attacks.functional import warp
from attacks.functional.opencv import Mode

FRAMES = ("same", "expand", "inside")


class Rotation(Attack):
    """Turn counter-clockwise about the centre; what comes in from outside is black.

    Args:
        degrees: -360 to 360.
        frame: ``same`` keeps the size (corners are lost and black ones appear), ``expand`` grows it until nothing is
            lost, ``inside`` cuts the largest rectangle of the old shape without black, as photo editors do after
            straightening.
        mode: ``bicubic``, ``bilinear`` or ``nearest``.
    """

    differentiable, geometric, harder = True, True, "away"
    family = "geometry"
    unit, neutral, together = "degrees", 0.0, True
    version = 2
    reproduces = "WAVES Dist-Rotation (frame same); StirMark rotation with cropping (frame inside)"

    def __init__(self, degrees: float, frame: str = "same", mode: Mode = "bicubic") -> None:
        if not -360 <= degrees <= 360:
            raise ValueError(f"degrees must be in -360..360, got {degrees}")
        if frame not in FRAMES:
            raise ValueError(f"frame must be one of {FRAMES}, got {frame!r}")
        if mode not in get_args(Mode):
            raise ValueError(f"mode must be one of {get_args(Mode)}, got {mode!r}")
        super().__init__(degrees)
        self.frame, self.mode = frame, mode

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Sample along the turned grid."""
        height, width = self._frame_size(images.shape[-2], images.shape[-1])
        cosine, sine = (torch.tensor([value], dtype=torch.float64) for value in warp.cosine_and_sine(self.strength))
        return warp.project(images, warp.rotation(cosine, sine), (height, width), mode=self.mode)

    def _frame_size(self, height: int, width: int) -> tuple[int, int]:
        if self.frame == "same":
            return height, width
        angle = math.radians(self.strength)
        cosine, sine = round(abs(math.cos(angle)), 12), round(abs(math.sin(angle)), 12)
        turned = height * cosine + width * sine, width * cosine + height * sine
        if self.frame == "expand":
            return math.ceil(turned[0] - 1e-6), math.ceil(turned[1] - 1e-6)
        shrink = min(height / turned[0], width / turned[1])
        return max(1, math.floor(height * shrink)), max(1, math.floor(width * shrink))


class Flip(Attack):
    """Mirror the picture.

    Args:
        flipped: 1 to mirror, 0 to leave.
        direction: ``horizontal`` (left and right change places) or ``vertical``.
    """

    differentiable, geometric, harder = True, True, "higher"
    family = "geometry"
    unit, neutral = "1 = mirrored", 0.0
    reproduces = "VideoSeal horizontal flip"

    def __init__(self, flipped: int = 1, direction: str = "horizontal") -> None:
        if flipped not in (0, 1):
            raise ValueError(f"flipped must be 0 or 1, got {flipped}")
        if direction not in ("horizontal", "vertical"):
            raise ValueError(f"direction must be horizontal or vertical, got {direction!r}")
        super().__init__(flipped)
        self.axis = -1 if direction == "horizontal" else -2

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        return images.flip(self.axis)
