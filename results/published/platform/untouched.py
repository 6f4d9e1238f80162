"""What a map calls edited of pictures that nobody edited.

    python results/published/platform/untouched.py PICTURES untouched.jsonl   # measures; a line a picture, scheme and file
    python results/published/platform/untouched.py untouched.jsonl            # prints the table

Every picture is marked at the scheme's default strength and mapped as it is, and after JPEG. A share is one of the
picture's pixels. Intervals are Clopper-Pearson's, over pictures.
"""

import argparse
import io
import json
from pathlib import Path

import torch
from PIL import Image
from scipy.stats import beta

from watermark import Watermarker, files

SCHEMES, JPEGS = ("tile_spread", "learned"), {"png": None, "jpeg75": 75, "jpeg50": 50}


def measure(folder: Path, target: Path, count: int) -> None:
    """Write the shares of every map."""
    torch.set_num_threads(1)
    with target.open("w") as file:
        for scheme in SCHEMES:
            marker = Watermarker.load(scheme, key="a secret")
            for path in sorted(files.find_pictures(folder))[:count]:
                marked = marker.embed(Image.open(path).convert("RGB"), provider_id=7, content_id=5)
                for what, quality in JPEGS.items():
                    where = marker.locate(saved(marked, quality))
                    shares = {name: round(share, 5) for name, share in where.shares.items()}
                    print(
                        json.dumps({"scheme": scheme, "file": path.name, "what": what, **shares}), file=file, flush=True
                    )


def saved(image: Image.Image, quality: int | None) -> Image.Image:
    if quality is None:
        return image
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def table(rows: list[dict]) -> str:
    """Markdown: per scheme and file the median, the ninth of ten and the greatest share called edited."""
    lines = [
        "| scheme, saved as | n | under 1 % | median | nine of ten up to | highest |",
        "|---|---:|---|---:|---:|---:|",
    ]
    for scheme in SCHEMES:
        for what in JPEGS:
            found = sorted(row["edited"] for row in rows if (row["scheme"], row["what"]) == (scheme, what))
            n, under = len(found), sum(share < 0.01 for share in found)
            low = beta.ppf(0.025, under, n - under + 1) if under else 0
            high = beta.ppf(0.975, under + 1, n - under) if under < n else 1
            told = " | ".join(f"{100 * share:.1f} %" for share in (found[n // 2], found[9 * n // 10 - 1], found[-1]))
            lines.append(f"| `{scheme}`, {what} | {n} | {under} [{100 * low:.0f} to {100 * high:.0f} %] | {told} |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    parser.add_argument("--count", type=int, default=40)
    given = parser.parse_args()
    if len(given.paths) == 2:
        measure(*given.paths, given.count)
    print(table([json.loads(line) for line in given.paths[-1].read_text().splitlines()]))
