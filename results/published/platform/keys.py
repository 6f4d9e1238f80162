"""CPU seconds of a ring against its size: ``python results/published/platform/keys.py PICTURES --count 3``.

Every picture is read unmarked and marked (45 dB, then JPEG 60), with one key and with rings of 10, 100 and 1,000 keys that
share their synchronisation key. One thread, one process, the same pictures in the same order.
"""

import argparse
import io
import time
from pathlib import Path

import torch
from PIL import Image

from watermark import Keyring, Watermarker

SHARED = {"sync_key": "shared by the consortium", "device": "cpu", "search": "quick"}


def jpeg(picture: Image.Image) -> Image.Image:
    """Quality 60."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=60)
    return Image.open(file).convert("RGB")


def main() -> None:
    """A table of means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--count", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    marker = Watermarker.load("tile_spread", key="key of 7", **SHARED)
    files = sorted(path for path in arguments.pictures.iterdir() if path.suffix in {".webp", ".png", ".jpg"})
    chosen = files[:: max(1, len(files) // arguments.count)][: arguments.count]
    plain = [Image.open(path).convert("RGB").resize((768, 512), Image.Resampling.LANCZOS) for path in chosen]
    marked = [jpeg(marker.embed(picture, provider_id=7, content_id=5)) for picture in plain]
    print("| keys | unmarked, CPU s | marked + JPEG 60, CPU s | named 7 of marked | called marked of unmarked |")
    print("|---" * 5 + "|")
    for count in (1, 10, 100, 1000):
        ring = Keyring.load("tile_spread", {7 + i: f"key of {7 + i}" for i in range(count)}, **SHARED)
        ring.detect(plain[0])  # warm
        cells, named, wrong = [], 0, 0
        for pictures in (plain, marked):
            start = time.process_time()
            found = ring.detect(pictures)
            cells.append((time.process_time() - start) / len(pictures))
            named = sum(one.provider_id == 7 for one in found)
            wrong += sum(one.is_marked for one in found) if pictures is plain else 0
        print(
            f"| {count} | {cells[0]:.2f} | {cells[1]:.2f} | {named}/{len(marked)} | {wrong}/{len(plain)} |", flush=True
        )


if __name__ == "__main__":
    main()
