"""Draw the page: one HTML file without network, from ``report.json`` and the sample pictures."""

import json
import statistics
from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from watermark.evaluation.rows import GROUPS, IDENTITY, PERCEPTUAL
from watermark.json_schema import Json
from watermark.report import maps, wording
from watermark.report.drawings import drawings
from watermark.report.pivot import pivots
from watermark.report.sections.bench import size_of
from watermark.report.sheet import asset
from watermark.report.svg import FEW, MARKERS

SECTIONS = {
    "verdict": "Verdict",
    "map": "Attacks",
    "curves": "Curves",
    "pictures": "Pictures",
    "edits": "Edits",
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


OF_RATES = ("owners", "published", "kinds", "thresholds")
"""Sections that count readings at fixed strengths: left out where every attack was searched."""


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
    rungs = data["breaking"] is None or not all(attack["searched"] for attack in data["attacks"])
    groups: list[str] = [group for group in GROUPS if any(cell["group"] == group for cell in data["ladders"])]
    return environment.get_template("report.html.j2").render(
        d=data | {"pairwise": sorted(data["pairwise"], key=lambda pair: _places(pair, schemes))},
        schemes=schemes,
        groups=groups,
        source=_source(data["provenance"]),
        words="photos" if data["group"] == "natural" else "test pictures",
        sections=[
            (name, title)
            for name, title in SECTIONS.items()
            if (rungs or name not in OF_RATES) and (data["localization"] or name != "edits")
        ],
        rungs=sum(max(1, len(attack["strengths"])) for attack in data["attacks"] if not attack["searched"]),
        few=FEW,
        none_attack={"name": IDENTITY, "reproduces": "no attack", "strengths": [], "parameter": None},
        pictures=pictures,
        perceptual_measured=any(row[name] for row in data["embedding_quality"] for name in PERCEPTUAL),
        config=json.dumps(data["provenance"]["config"], indent=2),
        css=Markup(asset("plots.css") + asset("style.css")),
        js=Markup(asset("script.js")),
        **pivots(data, schemes),
        **drawings(data, schemes, groups),
    )


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
        "broke": wording.broke,
        "broke_between": wording.broke_between,
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
        "mean_of": maps.share,
        "percent_of": maps.percent_of,
        "soft": lambda name: Markup(str(escape(name)).replace("_", "_<wbr>")),  # names may break at their underscores
        "marker": lambda index: MARKERS[index % len(MARKERS)],
        "ladder": _ladder,
        "best_of": _best_of,
        "join_strengths": lambda values: ", ".join(v if isinstance(v, str) else f"{v:g}" for v in values),
        "verdict": _verdict,
        "wins": _wins,
        "median_auc": _median_auc,
    }


def _source(provenance: Json) -> str:
    """Where the pictures come from: ``from the folder “pictures”``, or ``from the data set “kodak”``."""
    if not provenance["data"]["name"]:
        return ""
    target = str((provenance["config"].get("data") or {}).get("_target_"))
    kind = "folder" if target.endswith(".FolderImages") else "data set"
    return f"from the {kind} “{provenance['data']['name']}”"


def _ladder(attack: Json) -> str:
    """``quality 90 to 10``."""
    values = attack["strengths"]
    if not values:
        return attack["reproduces"]
    span = f"{values[0]:g}" if len(values) == 1 else f"{values[0]:g} to {values[-1]:g}"
    return f"{attack['parameter']} {span}"


def _best_of(values: dict[str, float]) -> list[str]:
    """Names that share the highest value as it is printed, in whole percent; none where all have the same."""
    printed = {name: round(100 * value) for name, value in values.items()}
    best = [name for name, value in printed.items() if value == max(printed.values())]
    return best if len(best) < len(values) else []


def _verdict(pair: Json) -> str:
    test = pair["overall"]
    if not test["separable"]:
        return "not separable"
    return f"{pair['first'] if test['difference'] > 0 else pair['second']} better"


def _places(pair: Json, schemes: list[str]) -> list[int]:
    """Where two schemes stand on the page, for an order of pairs: those with the first scheme come first."""
    return sorted(schemes.index(pair[which]) for which in ("first", "second"))


def _wins(tests: list[Json]) -> str:
    first = sum(test["separable"] and test["difference"] > 0 for test in tests)
    second = sum(test["separable"] and test["difference"] < 0 for test in tests)
    return f"{first} / {second} of {len(tests)}"


def _median_auc(entries: list[Json]) -> str:
    known = [entry["auc"] for entry in entries if entry["auc"] is not None]
    return wording.fixed(statistics.median(known) if known else None, 3)
