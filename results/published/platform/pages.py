"""What a map says of a marked picture on a page of one colour with text, as in a screenshot of a web site.

    python results/published/platform/pages.py PICTURES pages.jsonl   # measures; a line a picture and scheme
    python results/published/platform/pages.py pages.jsonl            # prints the table

Every picture is marked at 45 dB, saved as JPEG 90 and laid on a page of 800 x 800 px with a heading and a line of text
above it and one below; the page is mapped without further loss, and as JPEG 85. ``beside`` are the px that lie more
than half of the largest region (68 px) from the picture.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import binary_dilation
from untouched import saved

from watermark import Watermarker, files

SCHEMES, SIDE, LEFT, TOP, FAR = ("tile_spread", "learned"), 800, 8, 110, 68
SAVED = {"png": None, "jpeg85": 85}


def page(picture: Image.Image) -> tuple[Image.Image, np.ndarray]:
    """The page, and which of its pixels are the picture's."""
    shown = Image.new("RGB", (SIDE, SIDE), (238, 238, 238))
    pen, there = ImageDraw.Draw(shown), np.zeros((SIDE, SIDE), dtype=bool)
    pen.text((LEFT, 20), "My page", "black", ImageFont.load_default(32))
    pen.text((LEFT, 80), "Some text, a picture below.", "black", ImageFont.load_default(16))
    pen.text((LEFT, TOP + picture.height + 12), "More text", "black", ImageFont.load_default(16))
    shown.paste(picture, (LEFT, TOP))
    there[TOP : TOP + picture.height, LEFT : LEFT + picture.width] = True
    return shown, there


def measure(folder: Path, target: Path, count: int) -> None:
    """Write the shares of every map."""
    torch.set_num_threads(1)
    with target.open("w") as file:
        for scheme in SCHEMES:
            marker = Watermarker.load(scheme, key="a secret", target_psnr=45)
            for path in sorted(files.find_pictures(folder))[:count]:
                marked = marker.embed(Image.open(path).convert("RGB"), provider_id=7, content_id=5)
                shown, there = page(saved(marked, 90))
                far = ~binary_dilation(there, iterations=FAR)
                for what, quality in SAVED.items():
                    where = marker.locate(saved(shown, quality))
                    row = {"scheme": scheme, "file": path.name, "what": what, "found": where.detection.is_marked}
                    row |= {"marked": where.marked[there].mean(), "edited": where.edited[there].mean()}
                    row |= {"beside": where.marked[far].mean(), "others": len(where.others)}
                    rounded = {name: round(float(x), 5) if isinstance(x, float) else x for name, x in row.items()}
                    print(json.dumps(rounded), file=file, flush=True)


def table(rows: list[dict]) -> str:
    """Markdown: medians and worst pictures of a scheme and a way to save."""
    lines = ["| scheme, page saved as | n | found | of the picture marked: median, least | edited: median, most |"]
    lines[0] += " beside it marked, most | listed twice |"
    lines.append("|---|---:|---:|---|---|---:|---:|")
    for scheme in SCHEMES:
        for what in SAVED:
            own = [row for row in rows if (row["scheme"], row["what"]) == (scheme, what)]
            found = [row for row in own if row["found"]]
            marked, edited, beside = ([100 * row[name] for row in found] for name in ("marked", "edited", "beside"))
            lines.append(
                f"| `{scheme}`, {what} | {len(own)} | {len(found)} "
                f"| {np.median(marked):.0f} %, {min(marked):.0f} % | {np.median(edited):.1f} %, {max(edited):.1f} % "
                f"| {max(beside):.2f} % | {sum(row['others'] > 0 for row in own)} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path, nargs="?")
    parser.add_argument("--count", type=int, default=40)
    said = parser.parse_args()
    if said.target:
        measure(said.source, said.target, said.count)
    else:
        print(table([json.loads(line) for line in said.source.read_text().splitlines()]))
