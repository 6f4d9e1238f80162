"""Few colours: what a GIF, or a PNG with a palette, leaves of a photograph."""

from PIL import Image
from torch import Tensor

from attacks.base import Attack, Generators
from attacks.functional import codec


class Palette(Attack):
    """Map every pixel to the nearest of a few colours, chosen for the picture by median cut; no dithering.

    Args:
        colours: 2 to 256.
    """

    differentiable, geometric, harder = False, False, "lower"
    family = "photometric"
    unit, together = "colours", True  # a thread per picture
    reproduces = "StirMark colour quantisation: 256 colours, median cut; conversion to GIF"

    def __init__(self, colours: int) -> None:
        if not 2 <= colours <= 256:
            raise ValueError(f"colours must be in 2..256, got {colours}")
        super().__init__(colours)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        return codec.edit(images, self._reduce)

    def _reduce(self, picture: Image.Image) -> Image.Image:
        few = picture.quantize(int(self.strength), Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        return few.convert("RGB")
