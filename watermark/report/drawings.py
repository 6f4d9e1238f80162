"""Every plot of the page as SVG, under the name that the templates use; the parts are escaped where they are made."""

from typing import Any

from markupsafe import Markup

from watermark.json_schema import Json
from watermark.report.bench_figures import scaling_plot
from watermark.report.breaking_plots import evidence_curve, survival_steps
from watermark.report.curves import survival
from watermark.report.pivot import with_others
from watermark.report.plots import bits_plot, forgery_plot, null_plot, quality_plot, registry_plot


def drawings(data: Json, schemes: list[str], groups: list[str]) -> dict[str, Any]:
    """All of them.

    Args:
        data: from ``report_data``.
        schemes: in page order; the place decides colour and marker.
        groups: of pictures that the run has.
    """
    alarms, owners = data["false_positives"], data["identification"]["schemes"]
    return {
        "curves": _curves(data, schemes, groups),
        **_breaking(data, schemes, groups),
        "null_plot": Markup(null_plot(alarms, schemes)),
        "registry_plot": Markup(registry_plot(owners, schemes)),
        "planes": {
            name: Markup(quality_plot(data["quality_plane"]["curves"], name, i)) for i, name in enumerate(schemes)
        },
        "bits": {
            entry["scheme"]: Markup(bits_plot(entry["null"]["bits"], entry["scheme"], schemes.index(entry["scheme"])))
            for entry in alarms
            if entry["null"]["bits"]
        },
        "security_plots": _security(data, schemes),
        **_scaling(data, schemes),
    }


def _curves(data: Json, schemes: list[str], groups: list[str]) -> dict[tuple[str, str, str], Markup]:
    """One survival plot per attack, group and metric."""
    found = {}
    for attack in (one for one in data["attacks"] if not one["searched"]):
        for group in groups:
            cells = [c for c in data["cells"] if c["attack"] == attack["name"] and c["group"] == group]
            for metric in ("detection", "payload"):
                found[attack["name"], group, metric] = Markup(survival(attack, cells, schemes, metric))
    return found


def _breaking(data: Json, schemes: list[str], groups: list[str]) -> dict[str, dict[tuple[str, str], Markup]]:
    """Of every searched attack and group how many marks survive, and with how much evidence."""
    found: dict[str, dict[tuple[str, str], Markup]] = {"steps": {}, "evidence": {}}
    told = data["breaking"] or {"axes": [], "points": []}
    for axis in told["axes"]:
        for group in groups:
            own = [p for p in told["points"] if (p["attack"], p["group"]) == (axis["attack"], group)]
            own.sort(key=lambda point: schemes.index(point["scheme"]))
            found["steps"][axis["attack"], group] = Markup(survival_steps(axis, own, schemes))
            rate = data["false_positive_rate"]
            found["evidence"][axis["attack"], group] = Markup(evidence_curve(axis, own, schemes, rate))
    return found


def _security(data: Json, schemes: list[str]) -> dict[str, Markup]:
    """A plot per forgery test that was asked for several amounts."""
    answers = (data["security"] or {}).get("answers", [])
    families: dict[str, list[Json]] = {}
    for a in answers:
        if a["amount"] is not None:
            families.setdefault(f"{a['test']} {a['family']} · {a['attacker_wants']}, in %", []).append(a)
    every = with_others(schemes, answers)
    drawn = {title: part for title, part in families.items() if len({a["amount"] for a in part}) > 1}
    return {title: Markup(forgery_plot(part, every)) for title, part in drawn.items()}


def _scaling(data: Json, schemes: list[str]) -> dict[str, Any]:
    """A plot per stage of ``watermark bench``."""
    cases = (data["cost"]["scaling"] or {}).get("cases", [])
    names = with_others(schemes, cases)
    stages = dict.fromkeys(case["stage"] for case in cases)
    return {
        "scaling_schemes": names,
        "scaling_plots": {stage: Markup(scaling_plot(cases, stage, names)) for stage in stages},
    }
