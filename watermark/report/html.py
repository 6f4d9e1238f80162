"""Draw the page: one HTML file without network, from ``report.json`` and the sample pictures."""

import json
import statistics
from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from watermark.evaluation.aggregate import GROUPS, IDENTITY, Json
from watermark.report import wording
from watermark.report.curves import survival
from watermark.report.plots import bits_plot, forgery_plot, null_plot, quality_plot, registry_plot
from watermark.report.scaling import scaling_plot
from watermark.report.sections.bench import size_of
from watermark.report.sheet import asset
from watermark.report.svg import MARKERS

SECTIONS = {
    "verdict": "Verdict",
    "map": "Attacks",
    "curves": "Curves",
    "pictures": "Pictures",
    "alarms": "False positives",
    "owners": "Owners",
    "security": "Security",
    "pairs": "Pairs",
    "quality": "Quality",
    "published": "Published",
    "kinds": "Kinds",
    "thresholds": "Thresholds",
    "cost": "Cost",
    "failures": "Failures",
    "provenance": "Provenance",
}
QUALITY = {
    "psnr": "PSNR",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "worst_tile_psnr": "Worst 64-px tile",
    "ciede2000": "CIEDE2000",
    "lpips": "LPIPS",
    "dists": "DISTS",
}


def render(data: Json, pictures: list[Json]) -> str:
    """The whole page.

    Args:
        data: from ``report_data``.
        pictures: from ``samples``.
    """
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(_filters())
    schemes = [card["scheme"] for card in data["schemes"]]
    groups = [group for group in GROUPS if any(cell["group"] == group for cell in data["ladders"])]
    return environment.get_template("report.html.j2").render(
        d=data,
        schemes=schemes,
        groups=groups,
        words="photos" if data["group"] == "natural" else "test pictures",
        sections=list(SECTIONS.items()),
        rungs=sum(max(1, len(attack["strengths"])) for attack in data["attacks"]),
        none_attack={"name": IDENTITY, "reproduces": "no attack", "strengths": [], "parameter": None},
        heat=_heat(data),
        pictures=pictures,
        kinds=_kinds(data),
        lookup_sizes=_lookup_sizes(data),
        claims=_claims(data),
        threshold_readings=_threshold_readings(data),
        auc_rows=_auc_rows(data),
        costs=_costs(data, schemes),
        **_security(data, schemes),
        quality_columns=_quality_columns(data),
        perceptual_measured=any(row["lpips"] or row["dists"] for row in data["embedding_quality"]),
        config=json.dumps(data["provenance"]["config"], indent=2),
        css=Markup(asset("plots.css") + asset("style.css")),
        js=Markup(asset("script.js")),
        **_plots(data, schemes, groups),
    )


def _plots(data: Json, schemes: list[str], groups: list[str]) -> dict[str, Any]:
    """Every SVG of the page; the parts are escaped where they are made."""
    curves = {}
    for attack in data["attacks"]:
        for group in groups:
            cells = [c for c in data["cells"] if c["attack"] == attack["name"] and c["group"] == group]
            for metric in ("detection", "payload"):
                curves[attack["name"], group, metric] = Markup(survival(attack, cells, schemes, metric))
    alarms, owners = data["false_positives"], data["identification"]["schemes"]
    return {
        "curves": curves,
        "null_plot": Markup(null_plot(alarms, schemes)),
        "registry_plot": Markup(registry_plot(owners, schemes)),
        "planes": {
            name: Markup(quality_plot(data["quality_plane"]["curves"], name, i)) for i, name in enumerate(schemes)
        },
        **_scaling(data, schemes),
        "bits": {
            entry["scheme"]: Markup(bits_plot(entry["null"]["bits"], entry["scheme"], schemes.index(entry["scheme"])))
            for entry in alarms
            if entry["null"]["bits"]
        },
    }


def _quality_columns(data: Json) -> list[tuple[str, str]]:
    """Columns of the quality table that some scheme has a number for."""
    rows = data["embedding_quality"]
    return [(name, label) for name, label in QUALITY.items() if any(row[name] for row in rows)]


def _security(data: Json, schemes: list[str]) -> dict[str, Any]:
    """The answers as table rows and plots; schemes that the run does not have come last."""
    answers = (data["security"] or {}).get("answers", [])
    present = {answer["scheme"] for answer in answers}
    every = schemes + [name for name in dict.fromkeys(a["scheme"] for a in answers) if name not in schemes]
    rows: dict[tuple[str, str, str], Json] = {}
    for a in answers:
        key = (a["test"], a["setting"], a["attacker_wants"])
        row = rows.setdefault(key, {"test": key[0], "setting": key[1], "wants": key[2], "answers": {}})
        row["answers"][a["scheme"]] = a
    families: dict[str, list[Json]] = {}
    for a in answers:
        if a["amount"] is not None:
            families.setdefault(f"{a['test']} {a['family']} · {a['attacker_wants']}, in %", []).append(a)
    return {
        "security_schemes": [name for name in every if name in present],
        "security_keys": every,
        "security_rows": list(rows.values()),
        "security_plots": {
            title: Markup(forgery_plot(part, every))
            for title, part in families.items()
            if len({a["amount"] for a in part}) > 1
        },
    }


def _scaling(data: Json, schemes: list[str]) -> dict[str, Any]:
    """A plot per stage; schemes that the run does not have come last."""
    cases = (data["cost"]["scaling"] or {}).get("cases", [])
    names = schemes + [name for name in dict.fromkeys(c["scheme"] for c in cases) if name not in schemes]
    stages = dict.fromkeys(case["stage"] for case in cases)
    return {
        "scaling_schemes": names,
        "scaling_plots": {stage: Markup(scaling_plot(cases, stage, names)) for stage in stages},
    }


def _heat(data: Json) -> dict[tuple[str, str], dict[str, Json]]:
    found: dict[tuple[str, str], dict[str, Json]] = {}
    for cell in data["ladders"]:
        found.setdefault((cell["scheme"], cell["attack"]), {})[cell["group"]] = cell
    return found


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


def _filters() -> dict[str, Callable[..., Any]]:
    return {
        "percent": wording.percent,
        "interval": wording.interval,
        "n_of": wording.n_of,
        "count_of": wording.count,
        "plural": wording.plural,
        "upper": wording.upper_bound,
        "power": wording.power,
        "strength": wording.strength,
        "seconds": wording.seconds,
        "digits2": wording.digits2,
        "exponent": wording.exponent,
        "size_of": size_of,
        "fixed": wording.fixed,
        "db": wording.db,
        "p_value": wording.p_value,
        "from_log10": wording.from_log10,
        "difference": wording.difference,
        "points": wording.points,
        "soft": lambda name: Markup(str(escape(name)).replace("_", "_<wbr>")),  # names may break at their underscores
        "marker": lambda index: MARKERS[index % len(MARKERS)],
        "ladder": _ladder,
        "join_strengths": lambda values: ", ".join(v if isinstance(v, str) else f"{v:g}" for v in values),
        "verdict": _verdict,
        "wins": _wins,
        "median_auc": _median_auc,
    }


def _ladder(attack: Json) -> str:
    """``quality 90 to 10``."""
    values = attack["strengths"]
    if not values:
        return attack["reproduces"]
    span = f"{values[0]:g}" if len(values) == 1 else f"{values[0]:g} to {values[-1]:g}"
    return f"{attack['parameter']} {span}"


def _verdict(pair: Json) -> str:
    test = pair["overall"]
    if not test["separable"]:
        return "not separable"
    return f"{pair['first'] if test['difference'] > 0 else pair['second']} better"


def _wins(tests: list[Json]) -> str:
    first = sum(test["separable"] and test["difference"] > 0 for test in tests)
    second = sum(test["separable"] and test["difference"] < 0 for test in tests)
    return f"{first} / {second} of {len(tests)}"


def _median_auc(entries: list[Json]) -> str:
    known = [entry["auc"] for entry in entries if entry["auc"] is not None]
    return wording.fixed(statistics.median(known) if known else None, 3)
