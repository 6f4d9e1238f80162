"""The pictures that come with scikit-image: real photographs, and apart from them the hard cases; no download."""

import hashlib
from collections.abc import Callable

import numpy as np
from PIL import Image
from skimage import data

from watermark.data.images import ImageInfo, ImageSet

BUNDLED: dict[str, tuple[str, Callable[[], np.ndarray]]] = {
    "astronaut": ("photo", data.astronaut),
    "camera": ("photo", data.camera),
    "chelsea": ("photo", data.chelsea),
    "coffee": ("photo", data.coffee),
    "motorcycle": ("photo", lambda: data.stereo_motorcycle()[0]),
    "rocket": ("photo", data.rocket),
    "hubble": ("dark", data.hubble_deep_field),
    "logo": ("flat", data.logo),
    "page": ("text", data.page),
}


class BundledImages(ImageSet):
    """Six photographs (a portrait, an animal, objects, a launch at dusk, one grey) and three hard cases.

    Args:
        max_side: px; larger pictures are reduced to it.
        limit: use only so many; photographs first.
        unmarked: of so many an evaluation also reads the unmarked picture: to find that there is no mark takes several
            times what finding one does.
    """

    def __init__(self, max_side: int | None = 512, limit: int | None = None, unmarked: int = 4) -> None:
        super().__init__("bundled", max_side, limit)
        self.unmarked = unmarked

    def describe(self) -> list[ImageInfo]:
        """Sizes and hashes of the pixels."""
        infos = []
        for name, (image_class, _) in list(BUNDLED.items())[: self.limit]:
            image = self._picture(name)
            height, width = self.fitted(image.height, image.width)
            infos.append(ImageInfo(name, image_class, width, height, hashlib.sha256(image.tobytes()).hexdigest()))
        return infos

    def open(self, index: int) -> Image.Image:
        """The picture at its native size."""
        return self._picture(self.infos[index].id)

    @staticmethod
    def _picture(name: str) -> Image.Image:
        array = BUNDLED[name][1]()
        array = array.astype(np.uint8) * 255 if array.dtype == bool else array
        image = Image.fromarray(array)
        if image.mode == "RGBA":  # the logo's transparency would be black
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return image.convert("RGB")
