from dataclasses import dataclass

import numpy as np
from PIL import Image

from watermark.identity import Request, issue
from watermark.registry import Registry

FAKE_CODE = "0011" + "0" * 18 + "10001"  # 18 zeros name nobody
KEY_ID = "key-1"


@dataclass
class FakeAnswer:
    is_marked: bool
    log10_p: float
    provider_id: int | None = None
    content_id: int | None = None
    version: int | None = None
    name_uncertain: str | None = None


class FakeMarker:
    """Writes the IDs into the first pixels of the lowest bit plane: fragile, quick, and enough for PNG files."""

    def embed(self, image, provider_id, content_id):
        pixels = np.array(image.convert("RGB"))
        bits = [int(b) for b in f"{0xABCD:016b}{provider_id:012b}{content_id:040b}"]
        pixels[0, : len(bits), 0] = pixels[0, : len(bits), 0] & 0xFE | np.array(bits, np.uint8)
        marked = Image.fromarray(pixels)
        marked.info = dict(image.info)
        return marked

    def detect(self, image):
        bits = "".join(str(b & 1) for b in np.asarray(image.convert("RGB"))[0, :68, 0])
        if int(bits[:16], 2) != 0xABCD:
            return FakeAnswer(False, 0.0)
        return FakeAnswer(True, -9.0, int(bits[16:28], 2), int(bits[28:], 2), 1)


def draw(seed):
    """A smooth picture unlike those of other seeds."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (9, 12, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize((192, 144), Image.Resampling.BICUBIC)


def issue_for_ever(folder, results):
    registry, number = Registry(folder / "registry.db", b"registry key"), 0
    while True:
        issue(Request(folder / "in.png", folder / f"out{number}.png", 7), registry, FakeMarker(), KEY_ID)
        results.put(number)
        number += 1
