"""What the shared key alone can do: ``python results/published/platform/shared_key.py PICTURES --count 4``.

Who holds the synchronisation key and no provider's finds the mark, takes the sign of every bit that he reads, draws
that mark where it lies and subtracts it. And he writes marks of his own, which must be nobody's.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from watermark import Keyring, Watermarker
from watermark.metrics.psnr import psnr
from watermark.pixels import to_image, to_tensor

SHARED = {"sync_key": "shared by the consortium", "device": "cpu"}


def main() -> None:
    """One line per picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--count", type=int, default=4)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    marker = Watermarker.load("tile_spread", key="key of 7", **SHARED)
    attacker = Watermarker.load("tile_spread", key="the attacker's own", **SHARED)
    ring = Keyring.load("tile_spread", {i: f"key of {i}" for i in range(1000)}, **SHARED)
    files = sorted(path for path in arguments.pictures.iterdir() if path.suffix in {".webp", ".png", ".jpg"})
    print("| picture | log10 p, marked | after the subtraction | PSNR to the marked picture, dB | forged, log10 p |")
    print("|---" * 5 + "|")
    for path in files[:: max(1, len(files) // arguments.count)][: arguments.count]:
        picture = Image.open(path).convert("RGB").resize((768, 512), Image.Resampling.LANCZOS)
        marked = to_tensor(marker.embed(picture, provider_id=7, content_id=1))
        look = attacker.scheme.look(marked)
        message, best, core = look.readout.logits > 0, look.where.best(), attacker.scheme.core
        drawn = core.drawn(marked, message, attacker.scheme.carriers, best, 45.0)
        found = []
        for strength in np.arange(0.5, 1.6, 0.25):  # the one that leaves the least
            left = to_tensor(to_image((marked - float(strength) * drawn).clamp(0, 1)))
            found.append((ring.detect(to_image(left)).log10_p, float(psnr(left, marked))))
        gone, damage = max(found)
        forged = ring.detect(attacker.embed(picture, provider_id=7, content_id=1))
        before = ring.detect(to_image(marked)).log10_p
        print(f"| {path.stem} | {before:.0f} | {gone:.0f} | {damage:.1f} | {forged.log10_p:.1f} |", flush=True)


if __name__ == "__main__":
    main()
