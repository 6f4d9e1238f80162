"""Light and colour, as the sliders of an editor move them: on gamma-encoded sRGB values, as those editors do."""

from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from PIL import ImageOps
from torch import Tensor

from attacks.base import Attack, Family, Generators
from attacks.functional import codec, color, opencv


class _Slider(Attack):
    """One factor, 1 being the middle."""

    differentiable, geometric, harder = True, False, "away"
    family: ClassVar[Family] = "photometric"
    unit, neutral = "factor", 1.0

    def __init__(self, factor: float) -> None:
        if not 0 <= factor <= 10:
            raise ValueError(f"factor must be in 0..10, got {factor}")
        super().__init__(factor)


class Brightness(_Slider):
    """Multiply every value by ``factor``; what exceeds white is clipped."""

    reproduces = "WAVES and W-Bench brightness; OmniSealBench for the dark side"

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        return images * self.strength


class Contrast(_Slider):
    """Move every value ``factor`` times as far from the picture's mean luma."""

    reproduces, version = "WAVES and W-Bench contrast", 2

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        grey = color.luma(images).mean((1, 2, 3), keepdim=True)
        return self.strength * images + (1 - self.strength) * grey


class Saturation(_Slider):
    """Move every pixel ``factor`` times as far from its own luma: 0 is grey, 2 is lurid."""

    reproduces, version = "VideoSeal and OmniSealBench saturation", 2

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Away from the pixel's grey."""
        return self.strength * images + (1 - self.strength) * color.luma(images)


class Sharpness(_Slider):
    """Move every value ``factor`` times as far from a smoothed picture (3x3, centre weight 5 of 13): 0 is smooth."""

    reproduces = "OmniSealBench and JPEG Trust sharpness (Pillow's and torchvision's)"
    family = "filter"

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """The border stays as it is."""
        if min(images.shape[-2:]) < 3:
            return images
        smooth = images.new_full((3, 1, 3, 3), 1 / 13)
        smooth[:, :, 1, 1] = 5 / 13
        inside = images[..., 1:-1, 1:-1]
        blurred = F.conv2d(images, smooth, groups=3)
        return images + F.pad((1 - self.strength) * (blurred - inside), (1, 1, 1, 1))


class Gamma(Attack):
    """Raise every value to the power ``exponent``: below 1 lifts the shadows, above 1 deepens them."""

    differentiable, geometric, harder = True, False, "away"
    family = "photometric"
    unit, neutral = "exponent", 1.0
    reproduces = "JPEG Trust watermarking benchmark, gamma"

    def __init__(self, exponent: float) -> None:
        if not 0.1 <= exponent <= 10:
            raise ValueError(f"exponent must be in 0.1..10, got {exponent}")
        super().__init__(exponent)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Power law; the floor keeps the gradient at black finite."""
        positive = images.clamp(min=1e-6)
        return opencv.power(positive, self.strength) if opencv.serves(positive) else positive.pow_(self.strength)


class Hue(Attack):
    """Turn the hue circle.

    Args:
        turn: share of a full turn, -0.5 to 0.5.
    """

    differentiable, geometric, harder = True, False, "away"
    family = "photometric"
    unit, neutral = "share of a full turn", 0.0
    reproduces = "VideoSeal and OmniSealBench hue"

    def __init__(self, turn: float) -> None:
        if not -0.5 <= turn <= 0.5:
            raise ValueError(f"turn must be in -0.5..0.5, got {turn}")
        super().__init__(turn)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Through hue, saturation and value, in floating point."""
        return color.turn_hue(images, self.strength)


class Grayscale(Attack):
    """Mix towards the picture's luma (Rec. 601), three equal channels.

    Args:
        amount: 1 for a grey picture, 0 for no change.
    """

    differentiable, geometric = True, False
    family = "photometric"
    harder: Literal["higher", "lower", "away"] = "higher"
    unit, neutral = "share of grey", 0.0
    reproduces, version = "VideoSeal greyscale", 2

    def __init__(self, amount: float = 1) -> None:
        if not 0 <= amount <= 1:
            raise ValueError(f"amount must be in 0..1, got {amount}")
        super().__init__(amount)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        return torch.lerp(images, color.luma(images).expand_as(images), self.strength)


class Equalize(Attack):
    """Flatten the histogram of every channel, on 8-bit values, and mix it in.

    Args:
        amount: 1 for the equalised picture, 0 for no change.
    """

    differentiable, geometric, harder = False, False, "higher"
    family = "photometric"
    unit, neutral = "share of the equalised picture", 0.0
    reproduces = "JPEG Trust watermarking benchmark, histogram equalisation"

    def __init__(self, amount: float = 1) -> None:
        if not 0 <= amount <= 1:
            raise ValueError(f"amount must be in 0..1, got {amount}")
        super().__init__(amount)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        flat = codec.edit(images, ImageOps.equalize)
        return flat if self.strength == 1 else torch.lerp(images, flat, self.strength)


class Negative(Attack):
    """Mix towards one minus the picture.

    Args:
        amount: 1 for the negative, 0 for no change; at .5 nothing but grey is left.
    """

    differentiable, geometric, harder = True, False, "higher"
    family = "photometric"
    unit, neutral = "share of the negative", 0.0
    reproduces = "the invert command of an editor"

    def __init__(self, amount: float = 1) -> None:
        if not 0 <= amount <= 1:
            raise ValueError(f"amount must be in 0..1, got {amount}")
        super().__init__(amount)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        return torch.lerp(images, 1 - images, self.strength)


class ChannelSwap(Attack):
    """Give every channel to its neighbour: red to green, green to blue, blue to red.

    Args:
        places: 1 or 2; 0 or 3 changes nothing.
    """

    differentiable, geometric, harder = True, False, "higher"
    family = "photometric"
    unit, neutral = "places", 0.0
    reproduces = "a program that takes BGR for RGB does a sister of it"

    def __init__(self, places: int = 1) -> None:
        if places not in (0, 1, 2, 3):
            raise ValueError(f"places must be 0, 1, 2 or 3, got {places}")
        super().__init__(places)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        return images.roll(int(self.strength), 1)
