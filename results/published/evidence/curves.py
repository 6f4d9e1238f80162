"""Marks lost at one PSNR for all pictures, and at one evidence for all pictures of the same mean PSNR.

``python results/published/evidence/curves.py PHOTOS OUT.jsonl --count 16 --evidence 25 40``; a line for every picture and
attack. Pictures are taken evenly from the folder; nothing of the method was set on any of them.
"""

import argparse
import json
from pathlib import Path

import torch

from attacks import Chain, Crop, GaussianBlur, GaussianNoise, Jpeg, Resize
from watermark.data.folder import FolderImages
from watermark.images import to_8bit
from watermark.metrics.psnr import psnr
from watermark.metrics.rates import wilson
from watermark.watermarker import Watermarker

STRONGEST = 38.0
"""dB, below which ``target_evidence`` may not go."""
ATTACKS = {
    "JPEG 30": Jpeg(30),
    "half size, JPEG 60": Chain(1.0, [Resize(0.5), Jpeg(60)]),
    "crop .4, JPEG 60": Chain(1.0, [Crop(0.4), Jpeg(60)]),
    "noise .08": GaussianNoise(0.08),
    "blur 1.5, JPEG 60": Chain(1.0, [GaussianBlur(1.5), Jpeg(60)]),
}


def rows(name: str, pictures: list[torch.Tensor], by: str, **settings: float):
    """One line for every picture and attack."""
    for number, picture in enumerate(pictures):
        marker = Watermarker.load(name, key=f"evidence {number}", device="cpu", **settings)
        marked = to_8bit(marker.embed(picture, 7, number))
        facts = {"scheme": name, "by": by, "picture": number, "psnr": float(psnr(marked, picture)), **settings}
        for said, attack in ATTACKS.items():
            found = marker.detect(to_8bit(attack(marked, torch.Generator().manual_seed(number))))[0]
            yield facts | {"attack": said, "lost": found.content_id != number, "log10_p": found.log10_p}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--evidence", type=float, nargs="+", default=[25.0, 40.0])
    parser.add_argument("--schemes", nargs="+", default=["tile_spread", "learned"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = FolderImages(str(options.folder), limit=options.count)
    pictures = [folder.load(i) for i in range(options.count)]
    with options.out.open("w") as out:
        for name in options.schemes:
            for evidence in options.evidence:
                settings = {"target_psnr": STRONGEST, "target_evidence": evidence}
                one = list(rows(name, pictures, "evidence", **settings))
                mean = sum(row["psnr"] for row in one) / len(one)
                other = list(rows(name, pictures, "psnr", target_psnr=round(mean, 2)))
                out.writelines(json.dumps(row) + "\n" for row in one + other)
                out.flush()
                for found in (one, other):
                    lost = sum(row["lost"] for row in found)
                    values = sorted({row["psnr"] for row in found})
                    low, high = wilson(lost, len(found))
                    print(
                        f"{name} by {found[0]['by']} {evidence:g}: mean {sum(values) / len(values):.2f} dB "
                        f"({values[0]:.1f} to {values[-1]:.1f}), lost {lost}/{len(found)} ({low:.2f} to {high:.2f})",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
