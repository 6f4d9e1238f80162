"""``protocol=matched``: every scheme at one quality, and what share of its words then is not exact."""

from watermark.json_schema import Json
from watermark.report.balance import FAMILIES, balanced, families
from watermark.report.wording import NOTHING, count_of, interval, percent


def matched(data: Json) -> Json | None:
    """What a matched run says, from ``report_data``; None for another protocol.

    Returns:
        ``by`` and ``at``; ``schemes``: each with ``pictures``, ``left`` (pictures that could not be brought there, and
        count nowhere), ``quality`` (mean, worst, least; null where it was not measured), ``word_errors`` (marks whose
        IDs were not exact at the promised rate, with n and interval), ``bit_accuracy``, ``balanced`` (mean word error
        rate over ``families``).
    """
    config = data["provenance"]["config"]
    if config.get("protocol") != "matched":
        return None
    by = config.get("matched_by")
    return {"by": by, "at": config.get("matched_at"), "schemes": [_of(data, card, by) for card in data["schemes"]]}


def _of(data: Json, card: Json, by: str) -> Json:
    own = card["scheme"], card["group"]
    found: Json = next((row for row in data["embedding_quality"] if (row["scheme"], row["group"]) == own), {})
    value, exact = found.get(by), card["payload"]
    fair = balanced(families(data, *own))
    return {
        "scheme": card["scheme"],
        "pictures": card["quality"]["images"],
        "left": data["coverage"]["not_marked"].get(card["scheme"], 0),
        "quality": value and {name: value[name] for name in ("mean", "worst", "min")},
        "word_errors": {
            "successes": exact["n"] - exact["successes"],
            "n": exact["n"],
            "images": exact["images"],
            "rate": None if exact["rate"] is None else 1 - exact["rate"],
            "low": 1 - exact["high"],
            "high": 1 - exact["low"],
        },
        "bit_accuracy": card["bit_accuracy"],
        "balanced": None if fair["payload"] is None else 1 - fair["payload"],
        "families": fair["families"],
    }


def sentence(data: Json) -> str:
    """At which quality, in one sentence; nothing for another protocol."""
    if not (found := matched(data)):
        return ""
    at = "its usual value" if found["at"] is None else f"{found['at']:g}"
    to = f"{at} dB PSNR" if found["by"] == "psnr" and found["at"] is not None else f"{found['by']} {at}"
    return f"Every picture is brought to {to}; one that cannot be marked so faintly counts nowhere."


def table(data: Json) -> list[str]:
    """Word errors at one quality, as Markdown; no line for another protocol."""
    if not (found := matched(data)):
        return []
    head = (
        "Scheme",
        "Pictures",
        "Left out",
        f"{found['by']}, mean (worst)",
        "Word error rate",
        "Balanced",
        "Bits right",
    )
    lines = [sentence(data), "", "| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    for row in found["schemes"]:
        spread = row["quality"]
        seen = f"{spread['mean']:.4g} ({spread['worst']:.4g})" if spread else NOTHING
        errors = f"{percent(row['word_errors'])} [{interval(row['word_errors'])}], {count_of(row['word_errors'])}"
        fair = NOTHING if row["balanced"] is None else f"{100 * row['balanced']:.1f} %"
        few = f" of {len(row['families'])}" if 0 < len(row["families"]) < len(FAMILIES) else ""
        bits = NOTHING if row["bit_accuracy"] is None else f"{100 * row['bit_accuracy']:.2f} %"
        cells = (row["scheme"], str(row["pictures"]), str(row["left"]), seen, errors, f"{fair}{few}", bits)
        lines.append("| " + " | ".join(cells) + " |")
    return [
        *lines,
        "",
        "Word error: the payload is not exact at the promised rate, with its 95 % interval clustered by picture. "
        "Balanced: its mean over rungs, then attacks, then families of attacks.",
        "",
    ]
