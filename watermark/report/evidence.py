"""``robustness_evidence.json``: the fields that C2PA softbinding-algorithm-list issue 61 proposes.

``robustnessEvidence`` is {methodology, corpus, harness, date, results}, self-reported and reproducible, and explicitly
no ranking across owners. One object per scheme; the date is the last day on which a row of the run was written.
"""

from datetime import UTC, datetime

from watermark.evaluation.rows import IDENTITY
from watermark.json_schema import Json
from watermark.report.wording import plural, power


def robustness_evidence(data: Json) -> Json:
    """Evidence objects by scheme, ready to be put into the ``entryMetadata`` of a soft-binding list entry."""
    p = data["provenance"]
    corpus = f"{p['data']['name']}, {p['data']['images']} images, manifest sha256 {p['data']['manifest_hash']}"
    version = p["versions"].get("robust-watermark")
    commit = (p["git"] or {}).get("commit")
    harness = f"robust-watermark {version or '(version unknown)'}"
    if commit:
        harness += f", commit {commit}{' with local changes' if p['git'].get('dirty') else ''}"
    return {
        card["scheme"]: {
            "robustnessEvidence": {
                "methodology": _methodology(data, card),
                "corpus": corpus,
                "harness": f"{harness}; {p['command']}",
                "date": data["date"],
                "results": _results(data, card["scheme"]),
            }
        }
        for card in data["schemes"]
        if not card["outside"]  # its rate of false alarms follows from nothing
    }


def _methodology(data: Json, card: Json) -> str:
    psnr, negatives = card["quality"]["psnr"], card["false_positives"]["images"]
    parts = [
        data["coverage"]["unfinished"],
        data["coverage"]["drawn"],
        "Embed a random payload, round to 8 bits, attack, decode blind; the same attacks on "
        f"{plural(negatives, 'unmarked image')}.",
        f"Detection at a false-positive rate of {power(data['false_positive_rate'])} that follows from a keyed null, "
        "not from the corpus.",
        f"{card['payload_bits'] or 'unknown'} payload bits{'' if psnr is None else f' at {psnr:.1f} dB PSNR'}.",
        f"Rates over {'natural photos' if data['group'] == 'natural' else 'test pictures'} with 95 % intervals "
        "clustered by image (Korn-Graubard). Self-reported; not a ranking.",
    ]
    return " ".join(filter(None, parts))


def _results(data: Json, scheme: str) -> Json:
    found: Json = {}
    for cell in data["ladders"]:
        if cell["scheme"] == scheme and cell["group"] == data["group"]:
            name = "unattacked" if cell["attack"] == IDENTITY else cell["attack"]
            found[name] = {key: cell[key] for key in ("detection", "payload")} | {"falsePositives": cell["alarms"]}
    for point in (data["breaking"] or {"points": []})["points"]:
        if point["scheme"] == scheme and point["group"] == data["group"]:
            names = ("images", "median", "low", "high", "never", "at_once", "attack_psnr", "attack_ssim")
            found[point["attack"]] = {"breakingPoint": {name: point[name] for name in names}}
    return found


def day(seconds: float) -> str:
    """A time stamp as an ISO date, UTC."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
