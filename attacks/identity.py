"""Nothing happens: the row against which all others are read."""

from torch import Tensor

from attacks.base import Attack, Generators


class Identity(Attack):
    """The picture as it is; ``strength`` must be 0."""

    differentiable, geometric, harder = True, False, "higher"
    family = "none"
    unit, reproduces, neutral = "none", "no attack", 0.0

    def __init__(self, strength: float = 0) -> None:
        if strength != 0:
            raise ValueError(f"expected strength 0, got {strength}")
        super().__init__(0.0)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        return images.clone()
