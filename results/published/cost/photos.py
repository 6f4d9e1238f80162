# ruff: noqa: T201 - a script prints
"""CPU seconds of one thread on the 24 Kodak photographs, from the rows that are published: python photos.py."""

import json
from pathlib import Path

import numpy as np

PUBLISHED = Path(__file__).resolve().parent.parent
ROWS = {
    "tile_spread, 45 dB": "tile-spread/kodak_45dB.jsonl",
    "tile_spread, 42 dB": "tile-spread/kodak_42dB.jsonl",
    "learned, 45 dB": "learned/learned_45.jsonl",
}
TARGET = {"embed": 300, "read, untouched": 120, "read, rotated 1 to 45 degrees": 800, "read, all 54 attacks": 800}
"""Milliseconds."""


def times(rows: list[dict]) -> dict[str, np.ndarray]:
    """Milliseconds by stage."""
    cells = [
        cell for row in rows for cell in row["cells"]
    ]  # attack, strength, exact, wrong, log10 p, seconds, readings
    wanted = {
        "embed": [row["embed_cpu_s"] for row in rows],
        "read, untouched": [cell[5] for cell in cells if cell[0] == "identity"],
        "read, rotated 1 to 45 degrees": [cell[5] for cell in cells if cell[0] == "rotation" and cell[1] != 90],
        "read, all 54 attacks": [cell[5] for cell in cells],
    }
    return {stage: 1000 * np.array(seconds) for stage, seconds in wanted.items()}


def main() -> None:
    """Print the table."""
    print(
        "| scheme | stage | n | median, ms | quartiles | slowest | target | within |\n|---|---|---|---|---|---|---|---|"
    )
    for name, file in ROWS.items():
        rows = [json.loads(line) for line in (PUBLISHED / file).read_text().splitlines()]
        for stage, ms in times(rows).items():
            low, middle, high = np.percentile(ms, [25, 50, 75])
            within = f"{(ms <= TARGET[stage]).sum()}/{len(ms)}"
            print(
                f"| {name} | {stage} | {len(ms)} | {middle:.0f} | {low:.0f} to {high:.0f} | {ms.max():.0f} "
                f"| {TARGET[stage]} | {within} |"
            )


if __name__ == "__main__":
    main()
