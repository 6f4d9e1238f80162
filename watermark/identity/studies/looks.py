"""How far apart are the same and other pictures: distances of ``compare``, to set and check its threshold."""

import logging
from collections.abc import Callable
from io import BytesIO
from itertools import combinations
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from watermark import files
from watermark.identity import Likeness, compare, hash_distance, perceptual_hash, thumbnail
from watermark.identity.looks import ALIGNED_THRESHOLD, THRESHOLD
from watermark.identity.studies.common import cell, parse, pictures, rate, write

log = logging.getLogger(__name__)
Change = Callable[[Image.Image, np.random.Generator], Image.Image]
OTHERS = 4  # other pictures that every picture is compared with in full


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    _, args = parse(__doc__ or "")
    everything = pictures(args.images, 10_000)
    hashes = [perceptual_hash(one) for one in everything]
    images = everything[: args.count]  # compared in full; all of them pair by pair, by hash alone
    thumbnails = [thumbnail(one) for one in images]
    rng = np.random.default_rng(0)
    pairs = np.array([hash_distance(*pair) for pair in combinations(hashes, 2)])
    whole = rate(int((pairs <= THRESHOLD).sum()), len(pairs))
    cells: list[dict[str, Any]] = []
    cells.append({"change": "another picture, whole", "hash_only": whole, "least_distance": int(pairs.min())})
    answers = []
    for number, image in enumerate(images):
        for other in rng.choice(len(images) - 1, OTHERS, replace=False):
            other += other >= number
            query = image if number % 2 else _crop(image, 0.5, rng)
            answers.append(compare(query, hashes[other], thumbnails[other]))
        log.info("other pictures: %d", number + 1)
    others = rate(sum(answer.is_same for answer in answers), len(answers))
    least = min(answer.distance for answer in answers)
    cells.append({"change": "another picture, half of them cropped", "with_thumbnail": others, "least_distance": least})
    for name, change in CHANGES.items():
        found = [
            compare(change(one, rng), h, t) for one, h, t in zip(images, hashes[: len(images)], thumbnails, strict=True)
        ]
        cells.append({"change": name, **_same(found)})
        log.info("%s", cells[-1])
    rows = [
        [str(c["change"]), *(cell(c[name]) if name in c else "-" for name in ("hash_only", "with_thumbnail"))]
        for c in cells
    ]
    header = ["change", "called the same: hash only", "hash and thumbnail"]
    thresholds = {"whole_threshold": THRESHOLD, "aligned_threshold": ALIGNED_THRESHOLD}
    write(args.output, "looks", {**thresholds, "cells": cells}, header, rows)


def _same(found: list[Likeness]) -> dict[str, Any]:
    n = len(found)
    whole = sum(one.whole <= THRESHOLD for one in found)
    return {"hash_only": rate(whole, n), "with_thumbnail": rate(sum(one.is_same for one in found), n)}


def _crop(image: Image.Image, area: float, rng: np.random.Generator) -> Image.Image:
    width, height = (round(side * area**0.5) for side in image.size)
    left, top = rng.integers(0, image.width - width + 1), rng.integers(0, image.height - height + 1)
    return image.crop((left, top, left + width, top + height))


def _jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return files.decode(buffer.getvalue(), "a re-saved picture")


CHANGES: dict[str, Change] = {
    "JPEG quality 10": lambda image, _: _jpeg(image, 10),
    "a third of the size": lambda image, _: image.resize((image.width // 3, image.height // 3)),
    "blur, radius 3 px": lambda image, _: image.filter(ImageFilter.GaussianBlur(3)),
    "brightness 1.5": lambda image, _: ImageEnhance.Brightness(image).enhance(1.5),
    "contrast 1.5": lambda image, _: ImageEnhance.Contrast(image).enhance(1.5),
    "grey": lambda image, _: image.convert("L"),
    "width 0.8": lambda image, _: image.resize((round(image.width * 0.8), image.height)),
    "crop, 90 % of the area": lambda image, rng: _crop(image, 0.9, rng),
    "crop, 70 %": lambda image, rng: _crop(image, 0.7, rng),
    "crop, 50 %": lambda image, rng: _crop(image, 0.5, rng),
    "crop, 30 %": lambda image, rng: _crop(image, 0.3, rng),
    "crop, 15 %": lambda image, rng: _crop(image, 0.15, rng),
    "flip": lambda image, _: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "flip and crop, 60 %": lambda image, rng: _crop(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 0.6, rng),
    "quarter turn": lambda image, _: image.transpose(Image.Transpose.ROTATE_90),
    "3 degrees": lambda image, _: image.rotate(3, Image.Resampling.BICUBIC),
    "9 degrees": lambda image, _: image.rotate(9, Image.Resampling.BICUBIC),
    "pasted on a white page, 5 % a side": lambda image, _: _page(image),
}


def _page(image: Image.Image) -> Image.Image:
    page = Image.new("RGB", (round(image.width * 1.1), round(image.height * 1.1)), "white")
    page.paste(image, ((page.width - image.width) // 2, (page.height - image.height) // 2))
    return page


if __name__ == "__main__":
    main()
