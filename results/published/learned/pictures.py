"""Crops of originals, marked pictures and residuals times ten: ``python results/published/learned/pictures.py DIR OUT.webp``."""

import sys
from pathlib import Path

import torch
from PIL import Image

from watermark.config import build_named
from watermark.images import to_8bit
from watermark.pixels import to_image, to_tensor

CROPS = {"kodim23": (40, 100), "kodim15": (200, 60), "kodim04": (150, 120), "kodim05": (200, 260), "kodim12": (20, 200)}
SIDE = 224


def main(folder: str, out: str) -> None:
    torch.set_num_threads(1)
    rows = []
    for name, (top, left) in CROPS.items():
        picture = to_tensor(Image.open(Path(folder) / f"{name}.png"))
        window = (slice(None), slice(None), slice(top, top + SIDE), slice(left, left + SIDE))
        row = [picture[window]]
        for scheme_name in ("learned", "learned_tough"):
            scheme = build_named("scheme", scheme_name, key=1)
            message = torch.rand(1, scheme.message_bits, generator=torch.Generator().manual_seed(1)) < 0.5
            marked = to_8bit(scheme.embed(picture, message))
            row += [marked[window], (0.5 + 10 * (marked - picture)[window]).clamp(0, 1)]
        rows.append(torch.cat(row, 3))
    to_image(torch.cat(rows, 2)).save(out, quality=95, method=6)


if __name__ == "__main__":
    main(*sys.argv[1:])
