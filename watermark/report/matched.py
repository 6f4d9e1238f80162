"""``protocol=matched``: every scheme at one quality, and what share of its words then is not exact."""

from watermark.json_schema import Json
from watermark.report.balance import balanced, families


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
