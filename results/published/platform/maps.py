"""The tables of maps in short: F1 of every chain and area, and false alarms, from the full tables that runs write.

python results/published/platform/maps.py maps.md
"""

import argparse
from pathlib import Path

CHAINS = {
    "": "nothing",
    "_jpeg": "JPEG 75",
    "_screenshot": "a screenshot at .8",
    "_crop": "a crop of .7",
    "_rotation": "a turn by 5 degrees",
    "_reshare": "a re-share at 720 px",
}
EDITS = {"paste": "pasted", "inpaint_telea": "inpainted"}
RATES = ("Regions in it called marked", "Score over 1e-2", "Score over 1e-3")


def rungs(text: str) -> list[dict[str, str]]:
    """The rows of all tables of maps in a Markdown text, by the names of their columns."""
    rows, head = [], None
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[:3] == ["Edit", "Area", "n"]:
            head = cells
        elif not line.startswith("|"):
            head = None
        elif head and not line.startswith("|--"):
            rows.append(dict(zip(head, cells, strict=True)))
    return rows


def quality(rows: list[dict[str, str]]) -> list[str]:
    """F1 of every chain, edit and area."""
    areas = sorted({row["Area"] for row in rows if row["Edit"].startswith(tuple(EDITS))}, key=float)
    columns = [(edit, area) for edit in EDITS for area in areas]
    found = {(row["Edit"], row["Area"]): row["F1"] for row in rows}
    lines = ["| F1, then | " + " | ".join(f"{EDITS[edit]}, {100 * float(area):.0f} %" for edit, area in columns) + " |"]
    lines.append("|---" + "|---:" * len(columns) + "|")
    for chain, name in CHAINS.items():
        cells = [found.get((edit + chain, area), "") for edit, area in columns]
        if any(cells):
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def alarms(rows: list[dict[str, str]]) -> list[str]:
    """What is promised at most 1 and .1 % of: over all edits, and the highest of single ones."""
    edits = [row for row in rows if row["Edit"].startswith(tuple(EDITS))]
    lines = ["| % of regions that lie in an edit | all edits | the highest of them |", "|---|---:|---|"]
    for rate in RATES:
        over = [row[rate] for row in rows if row["Edit"] == "all edits"]
        highest = max(edits, key=lambda row: float(row[rate].split()[0]))
        named = f"{highest[rate]}: {highest['Edit']}, {100 * float(highest['Area']):.0f} %"
        lines.append(f"| {rate} | {'; '.join(over)} | {named} |")
    return lines


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="a run's table.md, or one beside this script")
    rows = rungs(parser.parse_args().table.read_text(encoding="utf-8"))
    print("\n".join([*quality(rows), "", *alarms(rows)]))  # noqa: T201 - a script prints


if __name__ == "__main__":
    main()
