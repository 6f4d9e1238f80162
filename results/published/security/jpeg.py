"""At which JPEG quality the first three squares of the boundary walk lose their mark, and at which PSNR.

    python results/published/security/jpeg.py PHOTOS

The squares, keys and IDs are those of ``watermark forgery --images 108 --targets 8 --side 256 --target-psnr 45``.
"""

import sys

import torch

from attacks import Jpeg
from watermark.data.folder import FolderImages
from watermark.images import to_8bit
from watermark.metrics.psnr import psnr
from watermark.watermarker import Watermarker

IMAGES, TARGETS, SQUARES, SIDE, PROVIDER = 108, 8, 3, 256, 7
QUALITIES = (20, 15, 12, 10)


def targets(folder: str) -> list[torch.Tensor]:
    """``(1, 3, SIDE, SIDE)`` each: the middle of the pictures that are attacked, which are the last."""
    pictures = FolderImages(folder, limit=IMAGES)
    fit = [i for i, info in enumerate(pictures.infos) if min(info.width, info.height) >= SIDE]
    found = []
    for index in fit[-TARGETS:][:SQUARES]:
        picture = pictures.load(index)
        top, left = ((n - SIDE) // 2 for n in picture.shape[-2:])
        found.append(picture[..., top : top + SIDE, left : left + SIDE])
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    print("| scheme | quality | square 1 | 2 | 3 |\n|---|---|---|---|---|")
    for scheme in ("tile_spread", "learned"):
        marker = Watermarker.load(scheme, key="owner", target_psnr=45)
        squares = targets(sys.argv[1])
        marked = [to_8bit(marker.embed(one, PROVIDER, number)) for number, one in enumerate(squares)]
        for quality in QUALITIES:
            cells = []
            for one in marked:
                attacked = to_8bit(Jpeg(quality)(one))
                lost = "" if marker.detect(attacked)[0].is_marked else " lost"
                cells.append(f"{float(psnr(attacked, one)):.1f}{lost}")
            print(f"| {scheme} | {quality} | {' | '.join(cells)} |")
