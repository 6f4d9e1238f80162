"""Maps of edited pictures as a Markdown table."""

from watermark.json_schema import Json
from watermark.report.wording import NOTHING, strength

HEAD = (
    *("Edit", "Area", "n", "F1", "IoU", "Regions in it called marked", "Score over 1e-2", "Score over 1e-3"),
    *("Edited px called marked", "Unknown", "Other px called edited"),
)
COLUMNS = ("called_marked", "reached_1e2", "reached_1e3", "edited_marked", "unknown", "kept_edited")


def table(data: Json) -> list[str]:
    """Every rung; no line where nothing was mapped."""
    if not (told := data["localization"]):
        return []
    lines: list[str] = []
    for card in (card for card in told["schemes"] if card["group"] == data["group"]):
        own = [rung for rung in told["rungs"] if (rung["scheme"], rung["group"]) == (card["scheme"], card["group"])]
        images = f"{card['images']} pictures, {card['n']} maps"
        lines += [f"Maps of {card['scheme']}, {images}: means over pictures, in % but F1 and IoU (95 % interval):", ""]
        lines += ["| " + " | ".join(HEAD) + " |", "|---" + "|---:" * (len(HEAD) - 1) + "|"]
        for rung in own:
            cells = [rung["attack"], strength(rung["strength"]) or NOTHING, str(rung["n"])]
            cells += [share(rung["f1"]), share(rung["iou"])] + [percent_of(rung[name]) for name in COLUMNS]
            lines.append("| " + " | ".join(cells) + " |")
        over = ["all edits", NOTHING, str(card["n"]), share(card["f1"]), NOTHING]
        over += [percent_of(card[name]) for name in ("called_marked", "reached_1e2", "reached_1e3")]
        lines += ["| " + " | ".join([*over, NOTHING, NOTHING, percent_of(card["kept_edited"])]) + " |", ""]
    return lines


def share(mean: Json | None) -> str:
    """``.93 [.90 to .95]``."""
    if mean is None:
        return NOTHING
    return f"{mean['mean']:.2f}" + ("" if mean["low"] is None else f" [{mean['low']:.2f} to {mean['high']:.2f}]")


def percent_of(mean: Json | None) -> str:
    """``0.21 [0.05 to 0.40]``, of 100; finer where it is small, so that a few are not none."""
    if mean is None:
        return NOTHING
    places = 1 if mean["mean"] >= 0.1 else 2 if mean["mean"] >= 1e-3 or not mean["mean"] else 4
    ends = "" if mean["low"] is None else f" [{100 * mean['low']:.{places}f} to {100 * mean['high']:.{places}f}]"
    return f"{100 * mean['mean']:.{places}f}{ends}"
