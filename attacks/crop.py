"""Keep a rectangle of the picture: as it is, or blown up to the old size."""

import torch
from torch import Tensor

from attacks.base import Attack, Generators
from attacks.functional import draw, warp
from attacks.resize import resampling

POSITIONS = ("random", "center")


class Crop(Attack):
    """Keep ``area`` of the picture, a rectangle of the same shape; the output is smaller.

    Args:
        area: share of the picture that survives, in (0, 1].
        position: ``random`` (another place for every image) or ``center``.
        truncate: sides are cut to whole pixels, not rounded.
    """

    differentiable, geometric, harder = True, True, "lower"
    family = "geometry"
    unit, neutral = "area kept, 0..1", 1.0
    reproduces = "VideoSeal and Stable Signature crop; OmniSealBench centre crop"

    def __init__(self, area: float, position: str = "random", *, truncate: bool = False) -> None:
        if not 0 < area <= 1:
            raise ValueError(f"area must be in (0, 1], got {area}")
        if position not in POSITIONS:
            raise ValueError(f"position must be one of {POSITIONS}, got {position!r}")
        super().__init__(area)
        self.position, self.truncate = position, truncate

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        height, width = warp.scaled(images, self.strength**0.5, self.truncate)
        room = images.shape[-2] - height, images.shape[-1] - width
        if self.position == "center":
            corners = [(room[0] // 2, room[1] // 2)] * len(images)
        else:
            tops, lefts = (draw.integers(generators, extra + 1) for extra in room)
            corners = list(zip(tops, lefts, strict=True))
        pieces = [image[:, t : t + height, x : x + width] for image, (t, x) in zip(images, corners, strict=True)]
        return pieces[0][None] if len(pieces) == 1 else torch.stack(pieces)


class CropResize(Crop):
    """Keep ``area`` of the picture and scale it back to the old size.

    Args:
        area: share of the picture that survives, in (0, 1].
        position: ``random`` or ``center``.
        mode: ``bicubic`` or ``bilinear``.
    """

    geometric = True
    reproduces = "WAVES Dist-RCrop; JPEG Trust crop"

    def __init__(self, area: float, position: str = "random", mode: str = "bicubic") -> None:
        super().__init__(area, position)
        self.mode = resampling(mode)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        kept = super().transform(images, generators)
        return warp.resize(kept, (images.shape[-2], images.shape[-1]), self.mode)
