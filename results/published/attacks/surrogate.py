"""F4 by somebody without the key, who trained a detector of his own on pairs: ``python surrogate.py FOLDER``."""

import argparse
from pathlib import Path

import torch
from PIL import Image

from attacks.functional.codec import from_pillow
from watermark.evaluation.forgery import ForgeryTests
from watermark.watermarker import Watermarker

SIDE = 256

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("folder", type=Path)
parser.add_argument("--count", type=int, default=102, help="pictures; the last 8 are attacked, the others learned from")
parser.add_argument("--schemes", nargs="+", default=["tile_spread", "dwt_dct"])
options = parser.parse_args()
pictures = (Image.open(p) for p in sorted(options.folder.iterdir()) if p.suffix in (".webp", ".png", ".jpg"))
squares = []
for picture in pictures:
    left, top = (picture.width - SIDE) // 2, (picture.height - SIDE) // 2
    if min(left, top) >= 0 and len(squares) < options.count:
        square = picture.convert("RGB").crop((left, top, left + SIDE, top + SIDE))
        squares.append(from_pillow([square], torch.empty(0)))
for scheme in options.schemes:
    owner, rival = (Watermarker.load(scheme, key=key, target_psnr=42) for key in ("owner", "rival"))
    for a in ForgeryTests(scheme, owner, rival, torch.cat(squares), targets=8).surrogate():
        interval = f"{100 * a.low:.0f} to {100 * a.high:.0f} %"
        print(f"{scheme}: {a.setting}: {a.attacker_wants} {a.wins} of {a.n} ({interval}), {a.psnr:.1f} dB", flush=True)
