# ruff: noqa: T201 - a script prints
"""How much evidence queries take away: ``python results/published/names/oracle.py DIR OUT.jsonl --queries 250``.

An attacker without the key has a marked picture and asks the detector. Each step adds random waves of the marks' band,
drawn on a square of 128 px and repeated, and keeps them if the answer got no better for the mark. With the
owner's answer "better" is log10 p; with the public one it is what ``Detection.public()`` says, and a step that makes
the picture unmarked ends the climb. The same patterns in the same order, the same budget of damage for both; the third
attacker asks nobody and keeps every step, and where no public answer refused one, his way is that of the public's. Rows
are appended; pictures and attackers that are there are left out. ``--table`` says what came of it.
"""

import argparse
import json
import math
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from watermark import Watermarker, files
from watermark.detection import Detection
from watermark.images import to_8bit
from watermark.metrics.psnr import psnr
from watermark.pixels import to_tensor

PERIOD, WAVES = 128, 40
MARKS = (50, 100, 226, 250, 500, 1000)  # queries after which the evidence is noted
FLOOR = 38.0  # dB against the marked picture: no step may go below


def pattern(size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """``(1, 1, H, W)``, unit root-mean-square: some random waves of the band."""
    spectrum = torch.zeros(PERIOD, PERIOD // 2 + 1, dtype=torch.complex64)
    places = torch.randint(3, PERIOD // 3, (WAVES, 2), generator=generator)
    phases = torch.rand(WAVES, generator=generator) * 2 * math.pi
    spectrum[places[:, 0] * torch.where(torch.rand(WAVES, generator=generator) < 0.5, -1, 1), places[:, 1]] = (
        torch.polar(torch.ones(WAVES), phases)
    )
    tile = torch.fft.irfft2(spectrum, s=(PERIOD, PERIOD))
    tile = tile / tile.square().mean().sqrt()
    repeats = [-(-n // PERIOD) for n in size]
    return tile.repeat(*repeats)[: size[0], : size[1]][None, None]


def is_worse(attacker: str, now: Detection, before: Detection) -> bool:
    """Whether the mark looks weaker than before, or no stronger, in what this attacker is told."""
    if attacker == "owner's answer":
        return now.log10_p > before.log10_p
    if attacker == "nobody":
        return True
    told, had = now.public(), before.public()
    return (told.is_marked, told.at_most_one_in or 0) <= (had.is_marked, had.at_most_one_in or 0)


def climb(marker: Watermarker, marked: Tensor, attacker: str, queries: int, step: float, seed: int) -> dict:
    """Evidence and damage after some numbers of queries; how often he asked, and how often that made him go back."""
    generator = torch.Generator().manual_seed(seed)
    (found,) = marker.detector.detect(marker.read(marked))
    current, notes, asked, refused = marked, [{"queries": 0, "log10_p": found.log10_p, "psnr": None}], 0, 0
    for query in range(1, queries + 1):
        trial = (current + step / 255 * pattern(marked.shape[-2:], generator)).clamp(0, 1)
        if float(psnr(to_8bit(trial), marked)) >= FLOOR:
            ask = attacker != "nobody" or query in MARKS
            now = marker.detector.detect(marker.read(to_8bit(trial)))[0] if ask else found
            asked += ask and attacker != "nobody"
            if is_worse(attacker, now, found):
                current, found = trial, now
            else:
                refused += 1
        if query in MARKS or not found.is_marked:
            seen = to_8bit(current)
            final = marker.detector.detect(marker.read(seen))[0]
            notes.append({"queries": query, "log10_p": final.log10_p, "psnr": float(psnr(seen, marked))})
            print(attacker, notes[-1], flush=True)
        if not found.is_marked:
            break
    return {"answers": asked, "refused": refused, "notes": notes}


def table(rows: list[dict], queries: int) -> str:
    """Markdown: per scheme and attacker, the median of the evidence after so many queries, and whom the answers led."""
    lines = [
        "| scheme | told | pictures | log10 p before | after | share left | least | answers | of them refused a step |"
    ]
    lines.append("|---" * 9 + "|")
    mine = [row for row in rows if row["asked"] == queries and "refused" in row]
    for scheme, attacker in dict.fromkeys((row["scheme"], row["attacker"]) for row in mine):
        part = [row for row in mine if (row["scheme"], row["attacker"]) == (scheme, attacker)]
        first, last = ([row["notes"][at]["log10_p"] for row in part] for at in (0, -1))
        left = sorted(b / a for a, b in zip(first, last, strict=True))
        share = f"{100 * median(left):.0f} % ({100 * left[0]:.0f} to {100 * left[-1]:.0f})"
        counts = (sum(row[name] for row in part) for name in ("answers", "refused"))
        cells = [scheme, attacker, len(part), f"{median(first):.0f}", f"{median(last):.0f}", share, f"{max(last):.1f}"]
        lines.append(f"| {' | '.join(map(str, (*cells, *counts)))} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Every picture, every attacker."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--count", type=int, default=2)
    parser.add_argument("--queries", type=int, default=250)
    parser.add_argument("--scheme", default="tile_spread")
    parser.add_argument("--step", type=float, default=0.35, help="root-mean-square of a step, grey levels")
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    marker = Watermarker.load(arguments.scheme, key="oracle", target_psnr=45)
    known = (
        [json.loads(line) for line in arguments.output.read_text().splitlines()] if arguments.output.exists() else []
    )
    if arguments.table:
        print(table(known, arguments.queries), end="")
        return
    done = {
        (row["picture"], row["attacker"])
        for row in known
        if (row["asked"], row["scheme"]) == (arguments.queries, arguments.scheme)
    }
    for number, path in enumerate(sorted(files.find_pictures(arguments.pictures))[: arguments.count]):
        picture = to_tensor(files.load(path))[..., :256, :256]
        marked = to_8bit(marker.embed(picture, 7, 1000 + number))
        climbed: dict | None = None
        for attacker in ("owner's answer", "public answer", "nobody"):
            if (path.name, attacker) in done:
                continue
            if attacker == "nobody" and climbed is not None and not climbed["refused"]:
                climbed |= {"answers": 0}  # the public answers kept every step, as he does
            else:
                with torch.no_grad():
                    climbed = climb(marker, marked, attacker, arguments.queries, arguments.step, number)
            row = {"picture": path.name, "scheme": arguments.scheme, "attacker": attacker}
            with arguments.output.open("a") as file:
                file.write(json.dumps({**row, "asked": arguments.queries, **climbed}) + "\n")


if __name__ == "__main__":
    main()
