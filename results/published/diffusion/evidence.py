"""Of runs of `watermark evaluate`: IDs exact, and the evidence that every rung leaves, as the table of the README.

python evidence.py RUN_DIR [RUN_DIR...]
"""

import json
import sys
from pathlib import Path


def main(folders: list[str]) -> None:
    """One column a scheme: exact of n, median decades of evidence; alarms on unmarked pictures after the same rung."""
    cells, damage, columns = {}, {}, []
    for folder in folders:
        report = json.loads((Path(folder) / "report.json").read_text())
        quality = {
            card["scheme"]: card["psnr"]["mean"] for card in report["embedding_quality"] if card["group"] == "natural"
        }
        for cell in (cell for cell in report["cells"] if cell["group"] == "natural"):
            column = f"{cell['scheme']} {quality[cell['scheme']]:.0f} dB"
            columns += [column] if column not in columns else []
            rung = cell["attack"], cell["strength"]
            cells[rung, column] = cell
            if cell["attack_psnr"]:
                damage.setdefault(rung, (cell["attack_psnr"], cell["attack_ssim"]))
    print(f"| attack | rung | dB | SSIM | {' | '.join(f'`{column}`' for column in columns)} | alarms, unmarked |")
    print("|---" * (5 + len(columns)) + "|")
    for rung in dict.fromkeys(rung for rung, _ in cells):
        here = [cells.get((rung, column)) for column in columns]
        alarms = [cell["alarms"] for cell in here if cell and cell["alarms"]]
        total = f"{sum(alarm['successes'] for alarm in alarms)} of {sum(alarm['n'] for alarm in alarms)}"
        shown = " | ".join(_shown(cell) for cell in here)
        cost = " | ".join(f"{value:.{digits}f}" for value, digits in zip(damage.get(rung, ()), (1, 2), strict=False))
        strength = "" if rung[1] is None else f"{rung[1]:g}"
        print(f"| {rung[0]} | {strength} | {cost or '| '} | {shown} | {total} |")


def _shown(cell: dict | None) -> str:
    if cell is None:
        return ""
    return f"{cell['payload']['successes']}/{cell['payload']['n']} ({abs(cell['median_log10_p']):.0f})"


if __name__ == "__main__":
    main(sys.argv[1:])
