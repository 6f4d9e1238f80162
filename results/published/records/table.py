"""The tables of ``records.py``'s rows, as Markdown: marks read exactly at a proven 1e-6, of how many, with 95 % intervals.

python results/published/records/table.py ROWS.jsonl
"""

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import mean, median
from typing import Any

from watermark.metrics.rates import clopper_pearson

Row = dict[str, Any]


def exact(rows: Iterable[Row]) -> str:
    """``11/12 [65 to 99]``; a wrong name would be said."""
    rows = list(rows)
    if not rows:
        return "-"
    hits = sum(row["exact"] for row in rows)
    low, high = clopper_pearson(hits, len(rows))
    wrong = sum(row["found"] and not row["exact"] for row in rows)
    return f"{hits}/{len(rows)} [{100 * low:.0f} to {100 * high:.0f}]" + f", {wrong} found only" * bool(wrong)


def table(rows: list[Row], head: str, line: Callable[[Row], tuple[Any, ...]], column: Callable[[Row], str]) -> str:
    """A row per ``line``, a column per ``column``, in the order in which they come."""
    lines, columns = (list(dict.fromkeys(map(of, rows))) for of in (line, column))
    out = [f"| {head} | " + " | ".join(columns) + " |", "|---" * (head.count("|") + 1 + len(columns)) + "|"]
    for one in lines:
        cells = [exact(row for row in rows if line(row) == one and column(row) == name) for name in columns]
        out.append("| " + " | ".join([*map(str, one), *cells]) + " |")
    return "\n".join(out)


def main(path: Path) -> None:
    """Print them."""
    rows = [json.loads(text) for text in path.read_text().splitlines()]
    bits, squares, faint = ([row for row in rows if row["what"] == what] for what in ("bits", "square", "faint"))
    size = {"kodak": ".39", "mosaic": "3.1"}
    print(
        table(
            bits,
            "layout | MP | dB",
            lambda row: (row["layout"], size[row["picture"].split()[0]], row["psnr"]),
            lambda row: row["attack"],
        )
    )
    hard = [row for row in bits if row["layout"] == "l1024" and row["attack"] == "JPEG 50" and row["psnr"] == 45]
    if hard:
        snr = [row["snr"] for row in hard]
        print(
            f"\nl1024, 3.1 MP, 45 dB, JPEG 50: Es/N0 per channel bit {min(snr):.2f} to {max(snr):.2f}, median {median(snr):.2f}\n"
        )
    print(table(squares, "square", lambda row: (row["attack"],), lambda row: row["scheme"]))
    print()
    print(
        table(
            faint,
            "PSNR asked, dB | reached, mean",
            lambda row: (
                row["psnr"],
                round(mean(one["marked_psnr"] for one in faint if one["psnr"] == row["psnr"]), 1),
            ),
            lambda row: row["attack"],
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
