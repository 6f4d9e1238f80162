"""Several attacks in a row."""

from collections.abc import Callable, Sequence
from typing import Literal

from torch import Tensor, nn

from attacks.base import Attack, Generators
from attacks.compression import Jpeg
from attacks.crop import CropResize
from attacks.erase import Erase
from attacks.filters import GaussianBlur
from attacks.noise import GaussianNoise
from attacks.photometric import Brightness, Contrast
from attacks.rotation import Rotation

Step = Attack | Callable[[float], Attack]


class Chain(Attack):
    """Any attacks, one after the other.

    Args:
        strength: given to every step that still waits for its strength; without one, merely a label.
        steps: attacks as they are, or functions of the strength that build one (``_partial_: true`` in a config).
        version: of the recipe, raised when its steps change; those of the steps are added to it.
    """

    differentiable, geometric = False, True
    family = "compound"
    harder: Literal["higher", "lower", "away"] = "higher"
    unit, together = "as the step that takes it", True
    reproduces = "several things that happen one after the other, as in the combinations of VideoSeal and OmniSealBench"

    def __init__(self, strength: float, steps: Sequence[Step], version: int = 1) -> None:
        super().__init__(strength)
        if not steps:
            raise ValueError("expected at least one step in a chain, got none")
        attacks = [step if isinstance(step, Attack) else step(strength) for step in steps]
        self.steps = nn.ModuleList(attacks)
        # a chain is what its steps are; the class itself can only promise the worst
        self.differentiable = all(step.differentiable for step in attacks)
        self.version = version + sum(step.version - 1 for step in attacks)
        self.geometric = any(step.geometric for step in attacks)
        waiting = [attack for attack, step in zip(attacks, steps, strict=True) if not isinstance(step, Attack)]
        self.harder = waiting[0].harder if waiting else type(self).harder

    def moves(self, height: int, width: int) -> bool:
        """One step that moves is enough; up to it the size is that of the input."""
        return any(step.moves(height, width) for step in self.steps)  # type: ignore[operator]

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Step by step; every step draws on from each image's generator."""
        for step in self.steps:
            images = step(images, generators)
        return images


def _geometric(share: float) -> list[Attack]:
    return [
        Rotation(45 * share, mode="nearest"),
        CropResize(1 - 0.5 * share, mode="bilinear"),
        Erase(0.25 * share),
    ]


def _photometric(share: float) -> list[Attack]:
    return [Brightness(1 + share), Contrast(1 + share)]


def _degradation(share: float) -> list[Attack]:
    return [GaussianBlur(20 * share), GaussianNoise(0.1 * share), Jpeg(round(90 - 80 * share))]


GROUPS: dict[str, tuple[Callable[[float], list[Attack]], ...]] = {
    "geometric": (_geometric,),
    "photometric": (_photometric,),
    "degradation": (_degradation,),
    "all": (_geometric, _photometric, _degradation),
}


class Combined(Chain):
    """WAVES' combined distortions: every attack of a group at one relative strength.

    0 stands for rotation 0, crop 1, erase 0, brightness and contrast 1, blur 0, noise 0, JPEG 90 and 1 for 45 degrees,
    .5, .25, 2, sigma 20, .1 and JPEG 10; linear in between.

    Args:
        share: relative strength, 0 to 1.
        group: ``geometric``, ``photometric``, ``degradation`` or ``all``.
    """

    unit = "relative strength, 0..1"
    reproduces = "WAVES DistCom-Geo, -Photo, -Deg and -All"

    def __init__(self, share: float, group: str) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"share must be in 0..1, got {share}")
        if group not in GROUPS:
            raise ValueError(f"group must be one of {list(GROUPS)}, got {group!r}")
        super().__init__(share, [attack for build in GROUPS[group] for attack in build(share)], version=2)
