"""What could a better spectrum or a better reader bring `learned_tough` behind pixel diffusion? A matched-filter estimate.

    python bound.py --photos TRAIN --count 12 --rows bound.jsonl     # goes on where it stopped; then the same of KODAK
    python bound.py --rows bound.jsonl --table

A photograph with a mark at a known place and the same photograph without are noised alike and denoised, and the lines of
both are read where they are. A symbol is the cosine or sine of a line on one plane. What the mark leaves in a symbol is
the difference of the two readings, ``m`` in the mean over a ring of frequencies; what it has to be heard above is the
reading without a mark, of variance ``v``. ``m^2 / v`` grows with the energy that is put into the symbol and with the area
of the picture (here that of Kodak's). What the symbols of a picture can carry together is the sum of
``log2(1 + m^2 / v) / 2`` bits over them, whatever the code, where ``m^2 / v`` is added up over both planes. The best
spectrum is water-filling over rings by what training photographs say, then judged on every picture; how the energy of a
ring is shared by the planes stays as it is, for what luma leaks into colour is a part of what is heard there.
"""

import argparse
import json
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from attacks import Identity, PixelDiffusion
from watermark.config import build_named
from watermark.images import to_8bit
from watermark.synchronization import Alignment, spectra

KODAK = 768 * 512
RINGS = (0.015, 0.03, 0.045, 0.06, 0.08, 0.1, 0.126)
"""Borders, cycles per plane px."""
TIMES, LEVEL = (0.1, 0.15), 42.0
INFORMATION = 72
"""Bits that a reading must bring: 56 of identity and 16 of check."""


def photograph(path: Path) -> torch.Tensor:
    with Image.open(path) as picture:
        pixels = np.array(picture.convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def measure(path: Path, scheme: object, times: list[float]) -> list[dict]:
    """One row per time: mean and variance of the symbols of every ring and plane."""
    picture, seed = photograph(path), zlib.crc32(path.name.encode())
    core, carriers = scheme.core, scheme.carriers
    message = torch.randint(2, (1, scheme.message_bits), generator=torch.Generator().manual_seed(seed)) == 1
    here = Alignment(torch.eye(2)[None], torch.zeros(1, 2), torch.ones(1))
    rows = []
    with torch.no_grad():
        change = core.residual(picture, message, carriers, here, torch.tensor([LEVEL]), 0)
        marked = to_8bit((picture + change).clamp(0, 1))
        sent = core.coefficients(message.float() * 2 - 1, carriers) * carriers.phase.conj()  # (1, 2, L)
        for t in times:
            attack = PixelDiffusion(t) if t else Identity(0)
            lines, without = (
                core.read_lines(
                    spectra(core.maps(to_8bit(attack(one, torch.Generator().manual_seed(seed))))), carriers, here
                )[0]
                for one in (marked, picture)
            )  # (2, L) each
            bits = core.soft_bits(lines[None], carriers)[0] * (message[0].float() * 2 - 1)
            row = {"image": path.name, "t": t, "area": picture[0, 0].numel(), "rings": []}
            row["reader_z2"] = round(float(len(bits) * bits.mean() ** 2 / bits.var()), 2)
            for plane in range(2):
                for low, high in pairwise(RINGS):
                    here_too = (carriers.radius >= low) & (carriers.radius < high) & ~carriers.is_pilot
                    left, host, told = (
                        torch.view_as_real(part[here_too]).flatten()
                        for part in (lines[plane] - without[plane], without[plane], sent[0, plane])
                    )
                    agreed = left * told.sign()
                    energy = float(told.square().sum())
                    ring = {"plane": plane, "low": low, "high": high, "n": len(agreed), "energy": energy}
                    row["rings"].append(ring | {"mean": float(agreed.mean()), "variance": float(host.square().mean())})
            rows.append(row)
    return rows


def table(rows: list[dict]) -> None:
    """Of every time: what the symbols carry now, and with the best spectrum, and in how many pictures that is enough."""
    print(
        "| pictures | t | n | bits now, median | bits with the best spectrum | enough now | enough so | energy goes to |"
    )
    print("|---" * 8 + "|")
    for t in sorted({row["t"] for row in rows}):
        of_time = [row for row in rows if row["t"] == t]
        known = [row for row in of_time if not row["image"].startswith("kodim")]
        n, energy, gain = _parts(known)
        best = filled(n[0], np.median(gain, 0), float(energy[0].sum()))
        share = n[0] * best / energy[0].sum()
        places = [f"{100 * share[i]:.0f} % {_place(known[0]['rings'][i])}" for i in share.argsort()[::-1][:3]]
        for name, chosen in (("training", known), ("Kodak", [row for row in of_time if row not in known])):
            if not chosen:
                continue
            n, energy, gain = _parts(chosen)
            now, most = ((n / 2 * np.log2(1 + gain * e)).sum(1) for e in (energy / n, best))
            counts = (f"{(bits > INFORMATION).sum()} ({(bits > 2 * INFORMATION).sum()})" for bits in (now, most))
            print(
                f"| {name} | {t:g} | {len(chosen)} | {np.median(now):.0f} | {np.median(most):.0f} "
                f"| {' | '.join(counts)} | {', '.join(places)} |"
            )
    print(
        f"\nEnough: above {INFORMATION} bits, which only an ideal code and reader would reach; in brackets: twice that."
    )


def filled(n: np.ndarray, gain: np.ndarray, energy: float) -> np.ndarray:
    """Water-filling: energy of a symbol of every ring, so that ``n`` symbols a ring carry the most bits together."""
    floor = 1 / np.maximum(gain, 1e-12)
    low, high = 0.0, floor.min() + energy
    for _ in range(200):
        level = (low + high) / 2
        if (n * np.maximum(level - floor, 0)).sum() > energy:
            high = level
        else:
            low = level
    return np.maximum(low - floor, 0)


def _place(ring: dict) -> str:
    return f"{ring['low']:g} to {ring['high']:g}"


def _parts(rows: list[dict]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Symbols, the energy that the mark puts there, and ``m^2 / v`` a unit of a symbol's energy, ``(pictures, rings)``."""
    names = ("n", "energy", "mean", "variance")
    parts = (np.array([[ring[name] for ring in row["rings"]] for row in rows]) for name in names)
    n, energy, mean, variance = (part.reshape(len(rows), 2, -1) for part in parts)  # planes apart
    heard = (np.maximum(mean, 0) ** 2 / variance).sum(1) * np.array([[KODAK / row["area"]] for row in rows])
    return n[:, 0], energy.sum(1), heard / (energy.sum(1) / n[:, 0])


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    rows = [json.loads(line) for line in args.rows.read_text().splitlines()] if args.rows.exists() else []
    if args.table:
        return table(rows)
    torch.set_num_threads(1)
    found = (path for path in args.photos.iterdir() if path.suffix in {".png", ".webp"})
    paths = sorted(found, key=lambda path: zlib.crc32(path.name.encode()))[: args.count]
    scheme = build_named("scheme", "learned_tough", key="bound")
    done = {row["image"] for row in rows}
    with args.rows.open("a") as out:
        for path in (path for path in paths if path.name not in done):
            for row in measure(path, scheme, list(TIMES)):
                out.write(json.dumps(row) + "\n")
            out.flush()
    return None


if __name__ == "__main__":
    main()
