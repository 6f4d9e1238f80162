"""How well maps fit edits: ``python results/published/platform/maps.py PICTURES rows.jsonl --count 6``.

Every picture is marked at 45 dB at 768x512, a rectangle of it is edited, something happens to the result, and
``locate`` maps it. One line of JSON per map; the same command goes on where it was stopped; ``--table`` prints Markdown.
"""

import argparse
import io
import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import attacks
from watermark import Watermarker
from watermark.pixels import to_image, to_tensor

EDITS = {"paste": attacks.Paste, "Telea inpainting": attacks.InpaintTelea, "clone": attacks.Clone}
KEEP = (54, 36, 714, 476)  # 73 % of the area


def jpeg(picture: Image.Image) -> Image.Image:
    """Quality 75."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=75)
    return Image.open(file).convert("RGB")


AFTER = {
    "nothing": lambda picture: picture,
    "JPEG 75": lambda picture: jpeg(picture) if picture.mode == "RGB" else picture,
    "crop .73": lambda picture: picture.crop(KEEP),
    "rotation 5, crop": lambda picture: picture.rotate(5, Image.Resampling.BICUBIC).crop(KEEP),
}


def row(marker: Watermarker, path: Path, number: int, edit: str, area: float, after: str) -> dict[str, object]:
    """One map and how it fits."""
    picture = Image.open(path).convert("RGB").resize((768, 512), Image.Resampling.LANCZOS)
    marked = to_tensor(marker.embed(picture, provider_id=7, content_id=number))
    attack = EDITS[edit](area)
    edited = attack(marked, torch.Generator().manual_seed(number))
    flat = attacks.Erase(area, fill=1.0)(torch.zeros_like(marked), torch.Generator().manual_seed(number))
    truth = Image.fromarray((flat[0, 0] > 0.5).numpy().astype(np.uint8) * 255)
    there = np.asarray(AFTER[after](truth)) > 127
    start = time.process_time()
    where = marker.locate(AFTER[after](to_image(edited)))
    spent = time.process_time() - start
    both = int((where.edited & there).sum())
    return {
        "picture": path.name,
        "edit": edit,
        "area": area,
        "after": after,
        "is_marked": where.detection.is_marked,
        "f1": 2 * both / max(1, int(where.edited.sum() + there.sum())),
        "iou": both / max(1, int((where.edited | there).sum())),
        "false_alarms": float(where.marked[there].mean()),
        "unknown": float(where.unknown.mean()),
        "edited_elsewhere": float(where.edited[~there].mean()),
        "cpu_s": spent,
    }


def table(rows: list[dict[str, object]]) -> str:
    """Means over pictures, with the standard error of F1."""
    cells = defaultdict(list)
    for one in rows:
        cells[one["edit"], one["area"], one["after"]].append(one)
    lines = [
        "| edit | area | then | n | F1 | IoU | edited px called marked, % | unknown, % | CPU s |",
        "|---" * 9 + "|",
    ]
    for (edit, area, after), found in sorted(cells.items(), key=str):
        mean = {name: float(np.mean([one[name] for one in found])) for name in found[0] if name not in ("picture", "edit")
                and not isinstance(found[0][name], str)}  # fmt: skip
        error = (
            float(np.std([one["f1"] for one in found], ddof=1)) / len(found) ** 0.5 if len(found) > 1 else float("nan")
        )
        lines.append(
            f"| {edit} | {area} | {after} | {len(found)} | {mean['f1']:.2f} ± {error:.2f} | {mean['iou']:.2f} | "
            f"{100 * mean['false_alarms']:.2f} | {100 * mean['unknown']:.1f} | {mean['cpu_s']:.1f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure what is missing, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--areas", type=float, nargs="+", default=[0.2])
    parser.add_argument("--edits", nargs="+", default=list(EDITS))
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in arguments.rows.read_text().splitlines()] if arguments.rows.exists() else []
    if arguments.table:
        print(table(rows), end="")
        return
    done = {(one["picture"], one["edit"], one["area"], one["after"]) for one in rows}
    torch.set_num_threads(1)
    marker = Watermarker.load("tile_spread", key="maps", device="cpu")
    files = sorted(path for path in arguments.pictures.iterdir() if path.suffix in {".webp", ".png", ".jpg"})
    for number, path in enumerate(files[:: max(1, len(files) // arguments.count)][: arguments.count]):
        for after in AFTER:
            for edit in arguments.edits:
                for area in arguments.areas:
                    if (path.name, edit, area, after) not in done:
                        with arguments.rows.open("a") as file:
                            file.write(json.dumps(row(marker, path, number, edit, area, after)) + "\n")


if __name__ == "__main__":
    main()
