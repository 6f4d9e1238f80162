"""Where marks are lost, drawn: survival along an attack's axis, and the evidence that is left there."""

import math
from collections.abc import Sequence

from watermark.evaluation.axis import Axis
from watermark.json_schema import Json
from watermark.report.curves import HAIR, RATE_TICKS
from watermark.report.svg import Frame, band, dot, grid_y, path, series, survival_kind, svg, ticks_x
from watermark.report.wording import broke, broke_between, interval, percent

MARGIN = 0.04
"""Share of the axis that stays free to the left and right."""
DECADES = (0, 10, 30, 100, 300)
TICKS = 4
"""Parts of the axis between which strengths are written."""


def survival_steps(axis: Json, points: Sequence[Json], schemes: Sequence[str]) -> str:
    """Share of pictures whose mark is still found, from the mild end to the harsh one: a step where a picture loses it.

    Args:
        axis: from ``sections.breaking``.
        points: of this attack and one group of pictures.
        schemes: all schemes in page order; the place decides colour and marker.
    """
    frame = Frame()
    parts = grid_y(frame, RATE_TICKS) + _strengths(frame, axis)
    for place, point in reversed(list(enumerate(points))):
        lift = HAIR * ((len(points) - 1) / 2 - place)
        parts.append(_steps(frame, axis, point, schemes.index(point["scheme"]), lift))
    label = f"share of pictures whose mark is found against {axis['attack']}"
    return svg(frame, parts, label, survival_kind(len(points)))


def evidence_curve(axis: Json, points: Sequence[Json], schemes: Sequence[str], rate: float) -> str:
    """Median evidence along the axis, in decades; dotted where a mark counts as found at the run's rate."""
    frame = Frame()
    most = max([DECADES[1], *(step["decades"] for point in points for step in point["evidence"])])

    def share(decades: float) -> float:
        return math.log1p(decades) / math.log1p(most)

    ticks = [(share(decades), f"{decades}") for decades in DECADES if decades <= most]
    line = frame.y(share(-math.log10(rate)))
    parts = grid_y(frame, ticks) + _strengths(frame, axis)
    parts.append(f'<line class="zero" x1="{frame.x(0):.1f}" x2="{frame.x(1):.1f}" y1="{line:.1f}" y2="{line:.1f}"/>')
    for point in reversed(points):
        steps = [(_x(frame, step["level"]), frame.y(share(step["decades"])), step) for step in point["evidence"]]
        body = f'<path class="line" d="{path([(x, y) for x, y, _ in steps])}"/>' if steps else ""
        index = schemes.index(point["scheme"])
        for x, y, step in steps[:: len(steps) // TICKS or 1]:
            tip = f"{point['scheme']} · {axis['attack']} {step['strength']:.3g}\n{step['decades']:.0f} decades"
            body += dot(x, y, index, tip)
        parts.append(series(body, index, scheme=point["scheme"]))
    return svg(frame, parts, f"evidence in decades against {axis['attack']}", "evidence")


def _x(frame: Frame, level: float) -> float:
    return frame.x(MARGIN + (1 - 2 * MARGIN) * level)


def _strengths(frame: Frame, axis: Json) -> list[str]:
    scale = Axis(axis["scale"], axis["mild"], axis["harsh"], axis["step"])
    ticks = [(MARGIN + (1 - 2 * MARGIN) * k / TICKS, f"{scale.strength(k / TICKS):.3g}") for k in range(TICKS + 1)]
    return ticks_x(frame, ticks, f"{axis['parameter'] or axis['attack']} → harsher")


def _steps(frame: Frame, axis: Json, point: Json, index: int, lift: float) -> str:
    """One scheme's line, ``lift`` pixels above its true height; the band is where it belongs."""
    full = {"rate": 1.0, "low": 0.025 ** (1 / max(1, point["images"])), "high": 1.0}  # Clopper-Pearson of n in n
    before, level, line, area = full, 0.0, [], []
    for end, rate in [*((step["level"], step["rate"]) for step in point["curve"]), (1.0, None)]:
        for at in (level, end):
            line.append((_x(frame, at), frame.y(before["rate"]) - lift))
            area.append((_x(frame, at), frame.y(before["low"]), frame.y(before["high"])))
        level, before = end, rate or before
    body = f'<path class="band" d="{band(area)}"/><path class="line" d="{path(line)}"/>'
    for step in point["curve"]:
        tip = (
            f"{point['scheme']} · {axis['attack']} {step['strength']:.3g}\nfound in {percent(step['rate'])}, "
            f"95 % interval {interval(step['rate'])}\nhalf lost at {broke(point, axis)}{broke_between(point, axis)}"
        )
        body += dot(_x(frame, step["level"]), frame.y(step["rate"]["rate"]) - lift, index, tip)
    return series(body, index, scheme=point["scheme"])
