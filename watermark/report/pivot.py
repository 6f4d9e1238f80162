"""Numbers of the report laid out as the page's tables want them: by scheme, by attack, by kind of picture."""

from typing import Any

from watermark.json_schema import Json
from watermark.report import wording

QUALITY = {
    "psnr": "PSNR",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "worst_tile_psnr": "Worst 64-px tile",
    "ciede2000": "CIEDE2000",
    "lpips": "LPIPS",
    "dists": "DISTS",
    "flip": "FLIP",
    "ssimulacra2": "SSIMULACRA2",
    "cvvdp": "ColorVideoVDP, JOD",
}


def pivots(data: Json, schemes: list[str]) -> dict[str, Any]:
    """All of them, by the name that the templates use.

    Args:
        data: from ``report_data``.
        schemes: in page order.
    """
    return {
        "heat": _heat(data),
        "broken": _broken(data),
        "axis_of": {axis["attack"]: axis for axis in (data["breaking"] or {"axes": []})["axes"]},
        "maps": _maps(data),
        "kinds": _kinds(data),
        "lookup_sizes": _lookup_sizes(data),
        "claims": _claims(data),
        "threshold_readings": _threshold_readings(data),
        "auc_rows": _auc_rows(data),
        "costs": _costs(data, schemes),
        "quality_columns": _quality_columns(data),
        **_security(data, schemes),
    }


def _quality_columns(data: Json) -> list[tuple[str, str]]:
    """Columns of the quality table that some scheme has a number for."""
    rows = data["embedding_quality"]
    return [(name, label) for name, label in QUALITY.items() if any(row[name] for row in rows)]


def _heat(data: Json) -> dict[tuple[str, str], dict[str, Json]]:
    found: dict[tuple[str, str], dict[str, Json]] = {}
    for cell in data["ladders"]:
        found.setdefault((cell["scheme"], cell["attack"]), {})[cell["group"]] = cell
    return found


def _broken(data: Json) -> dict[tuple[str, str], dict[str, Json]]:
    """Breaking points by scheme and attack, then by group of pictures."""
    found: dict[tuple[str, str], dict[str, Json]] = {}
    for point in (data["breaking"] or {"points": []})["points"]:
        found.setdefault((point["scheme"], point["attack"]), {})[point["group"]] = point
    return found


def _maps(data: Json) -> dict[tuple[str, str], Json]:
    """By scheme and group: the rungs of every edit by their strength, all strengths, and the untouched picture."""
    found: dict[tuple[str, str], Json] = {}
    for rung in (data["localization"] or {"rungs": []})["rungs"]:
        one = found.setdefault((rung["scheme"], rung["group"]), {"edits": {}, "strengths": set(), "untouched": None})
        if rung["f1"] is None:
            one["untouched"] = one["untouched"] or rung
            continue
        one["edits"].setdefault(rung["attack"], {})[rung["strength"]] = rung
        one["strengths"].add(rung["strength"])

    def rising(strength: float | None) -> tuple[bool, float]:
        return strength is None, strength or 0.0

    return {key: one | {"strengths": sorted(one["strengths"], key=rising)} for key, one in found.items()}


def _kinds(data: Json) -> dict[str, dict[str, Json]]:
    found: dict[str, dict[str, Json]] = {"content": {}, "resolution": {}, "aspect": {}}
    for entry in data["breakdown"]:
        row = found[entry["kind"]].setdefault(entry["value"], {"images": 0, "rates": {}})
        row["images"] = max(row["images"], entry["detection"]["images"])
        row["rates"][entry["scheme"]] = entry["detection"]
    return found


def _claims(data: Json) -> dict[str, list[str]]:
    """Schemes by what their negatives allow to claim; often the same sentence for all."""
    found: dict[str, list[str]] = {}
    for entry in data["false_positives"]:
        found.setdefault(entry["claim"], []).append(entry["scheme"])
    return found


def _threshold_readings(data: Json) -> dict[str, list[str]]:
    """Schemes by how many unmarked readings their thresholds rest on."""
    found: dict[str, list[str]] = {}
    for entry in data["thresholds"]:
        found.setdefault(wording.n_of(entry["negatives"]), []).append(entry["scheme"])
    return found


def _auc_rows(data: Json) -> dict[str, dict[str, Json]]:
    """Attack to scheme to its AUC."""
    found: dict[str, dict[str, Json]] = {}
    for entry in data["thresholds"]:
        for one in entry["auc"]:
            found.setdefault(one["attack"], {})[entry["scheme"]] = one
    return found


def _costs(data: Json, schemes: list[str]) -> dict[str, dict[str, Json]]:
    rows = data["cost"]["schemes"]
    found = {name: {row["stage"]: row for row in rows if row["scheme"] == name} for name in schemes}
    return {name: stages for name, stages in found.items() if stages}


def _lookup_sizes(data: Json) -> list[int]:
    tables = (entry["lookup"] for entry in data["identification"]["schemes"])
    return next(([point["size"] for point in table] for table in tables if table), [])


def _security(data: Json, schemes: list[str]) -> dict[str, Any]:
    """The attacker's wins as table rows; schemes that the run does not have come last."""
    answers = (data["security"] or {}).get("answers", [])
    present = {answer["scheme"] for answer in answers}
    every = with_others(schemes, answers)
    rows: dict[tuple[str, str, str], Json] = {}
    for a in answers:
        key = (a["test"], a["setting"], a["attacker_wants"])
        row = rows.setdefault(key, {"test": key[0], "setting": key[1], "wants": key[2], "answers": {}})
        row["answers"][a["scheme"]] = a
    return {
        "security_schemes": [name for name in every if name in present],
        "security_keys": every,
        "security_rows": list(rows.values()),
        **_prices(data, schemes),
    }


def _prices(data: Json, schemes: list[str]) -> dict[str, Any]:
    """What attacks cost, one row per attack, one column per scheme."""
    costs = ((data["security"] or {}).get("costs") or {}).get("rows", [])
    rows: dict[tuple[str, str], Json] = {}
    for cost in costs:
        row = rows.setdefault((cost["attack"], cost["wants"]), {**cost, "costs": {}})
        row["costs"][cost["scheme"]] = cost
    present = {cost["scheme"] for cost in costs}
    return {
        "cost_schemes": [name for name in with_others(schemes, costs) if name in present],
        "cost_rows": list(rows.values()),
    }


def with_others(schemes: list[str], measured: list[Json]) -> list[str]:
    """The run's schemes, then those that were measured beside it only: places decide colours."""
    return schemes + [name for name in dict.fromkeys(one["scheme"] for one in measured) if name not in schemes]
