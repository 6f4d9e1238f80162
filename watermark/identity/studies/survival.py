"""Metadata against pixels: what is left of the label and of the mark after everyday handling, per file format.

Every picture is issued in each format (marked, labelled as the toolkit does it), then handled with Pillow's defaults as
programs that know nothing of labels do, then read.
"""

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from attacks.reshare import Reshare
from attacks.screenshot import Screenshot
from watermark import files
from watermark.identity import State
from watermark.identity.studies.common import FAKE_CODE, Desk, cell, parse, pictures, rate, write
from watermark.labels import AigcLabel, save_with_label
from watermark.labels.carriers import labels_in
from watermark.pixels import to_image, to_tensor

log = logging.getLogger(__name__)
FORMATS = ("jpg", "png", "webp", "avif", "tiff")
PILLOW = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF")


def copied(path: Path, folder: Path) -> Path:
    """The file itself, byte for byte."""
    return _put(folder / f"copied{path.suffix}", path.read_bytes())


def saved_again(path: Path, folder: Path) -> Path:
    """Opened and saved in the same format by Pillow as others use it: `files.look` would take the metadata off."""
    with Image.open(path, formats=PILLOW) as image:
        image.save(folder / f"again{path.suffix}")
    return folder / f"again{path.suffix}"


def converted(path: Path, folder: Path) -> Path:
    """To JPEG quality 85; a JPEG to WebP quality 80."""
    target = folder / ("converted.webp" if path.suffix == ".jpg" else "converted.jpg")
    with Image.open(path, formats=PILLOW) as image:
        image.convert("RGB").save(target, quality=80 if path.suffix == ".jpg" else 85)
    return target


def screenshot(path: Path, folder: Path) -> Path:
    """Shown at 0.8 pixels per pixel on a page, cut out by hand, saved as PNG."""
    return _attacked(path, folder / "screenshot.png", Screenshot(0.8))


def reshared(path: Path, folder: Path) -> Path:
    """Two re-shares: reduced to 1280 px at most, sharpened, JPEG (profiles assumed)."""
    return _attacked(path, folder / "reshared.jpg", Reshare(1280, hops=2))


OPERATIONS: dict[str, Callable[[Path, Path], Path]] = {
    "byte copy": copied,
    "plain re-save": saved_again,
    "format conversion": converted,
    "screenshot": screenshot,
    "re-share x2": reshared,
}


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    _, args = parse(__doc__ or "")
    counts = {(op, suffix): {"label": 0, "mark": 0, "match": 0, "n": 0} for op in OPERATIONS for suffix in FORMATS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        desk = Desk.open(folder, args.scheme, "l64", args.target_psnr)
        for number, image in enumerate(pictures(args.images, args.count)):
            _one_picture(desk, image, folder, number, counts)
            log.info("picture %d", number + 1)
    cells: list[dict[str, Any]] = [
        {"operation": op, "format": suffix, **{what: rate(c[what], c["n"]) for what in ("label", "mark", "match")}}
        for (op, suffix), c in counts.items()
    ]
    rows = [[c["operation"], c["format"], *(cell(c[what]) for what in ("label", "mark", "match"))] for c in cells]
    header = ["operation", "format", "label readable", "mark names the ID", "trace: match"]
    settings = {"scheme": args.scheme, "layout": "l64", "target_psnr": args.target_psnr, "cells": cells}
    write(args.output, "survival", settings, header, rows)


def _one_picture(
    desk: Desk, image: Image.Image, folder: Path, number: int, counts: dict[tuple[str, str], dict[str, int]]
) -> None:
    marked, content_id = desk.mark(image)
    record = desk.record(content_id, marked)
    label = AigcLabel.first("1", FAKE_CODE, record.produce_id)
    for suffix in FORMATS:
        path = folder / f"{number}.{suffix}"
        save_with_label(marked, path, label)
        for name, operation in OPERATIONS.items():
            torch.manual_seed(number)
            made = operation(path, folder)
            labels = [one.label for one in labels_in(files.metadata_of(files.read_bytes(made), made))]
            answer = desk.ask(files.look(made))
            count = counts[name, suffix]
            count["n"] += 1
            count["label"] += labels == [label]
            count["mark"] += answer.content_id == content_id
            count["match"] += answer.state is State.MATCH


def _attacked(path: Path, target: Path, attack: Screenshot | Reshare) -> Path:
    generator = torch.Generator().manual_seed(int(path.stem))
    result = to_image(attack(to_tensor(files.look(path)), generator))
    result.save(target, quality=90)  # PNG takes no notice
    return target


def _put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


if __name__ == "__main__":
    main()
