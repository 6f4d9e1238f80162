"""Survival curves: how the rate falls along an attack's ladder, milder on the left, harsher on the right.

Strengths on both sides of the mildest (of a turn, to the left and to the right) get harsher to both sides, and the
label under the axis says so.
"""

from collections.abc import Sequence
from itertools import pairwise

from watermark.json_schema import Json
from watermark.report.svg import Frame, band, dot, grid_y, linear, path, series, survival_kind, svg, ticks_x
from watermark.report.wording import interval, n_of, percent, strength

METRICS = {"detection": "mark found", "payload": "IDs read exactly"}
AXIS = 52
"""Letters that fit under a plot."""
HAIR = 0.8
"""Pixels that the lines of two schemes are set apart, so that none hides behind the other where both are at 100 %."""
RATE_TICKS = [(share, f"{round(100 * share)}") for share in (0, 0.25, 0.5, 0.75, 1)]


def positions(attack: Json) -> dict[float, float]:
    """Where each rung lies on the axis, 0..1, harsher to the right (``away``: the identity in the middle region).

    True to scale where the rungs are spread evenly enough to read, else one step per rung.
    """
    values = sorted(attack["strengths"], reverse=attack["harder"] == "lower")
    if len(values) < 2:
        return dict.fromkeys(values, 0.5)
    gaps = [abs(b - a) for a, b in pairwise(values)]
    if min(gaps) >= 0.08 * abs(values[-1] - values[0]):
        scale = linear(values[0], values[-1])
        return {value: scale(value) for value in values}
    return {value: i / (len(values) - 1) for i, value in enumerate(values)}


def survival(attack: Json, cells: Sequence[Json], schemes: Sequence[str], metric: str) -> str:
    """One panel: a line with its 95 % band per scheme.

    Args:
        attack: its facts, from ``sections.cells.attacks``.
        cells: the cells of this attack and one group of pictures.
        schemes: all schemes in page order; the place decides colour and marker.
        metric: ``detection`` or ``payload``.
    """
    frame = Frame()
    at = positions(attack)
    ticks = sorted(((0.04 + 0.92 * share, strength(value)) for value, share in at.items()), key=lambda tick: tick[0])
    parts = grid_y(frame, RATE_TICKS) + ticks_x(frame, ticks, _axis(attack))
    if attack["harder"] == "away" and attack["identity"] is not None and len(at) > 1:
        parts += _identity_line(frame, attack, at)
    drawn = [scheme for scheme in schemes if any(c["scheme"] == scheme and c[metric]["n"] for c in cells)]
    for scheme in reversed(drawn):
        own = [c for c in cells if c["scheme"] == scheme and c[metric]["n"]]
        own = sorted((c for c in own if c["strength"] in at), key=lambda c: at[c["strength"]])
        lift = HAIR * ((len(drawn) - 1) / 2 - drawn.index(scheme))
        parts.append(_line(frame, own, _dodged(at, drawn, scheme), schemes.index(scheme), metric, lift))
    label = f"{METRICS[metric]} after {attack['name']} by {attack['parameter']}"
    return svg(frame, parts, label, survival_kind(len(drawn)))


def _axis(attack: Json) -> str:
    if not attack["strengths"]:
        return "one strength"
    name = attack["unit"] or attack["parameter"] or ""
    where = "→ harsher" if attack["harder"] != "away" else "(harsher to both sides)"
    name = next((short for short in (name, name.split(";")[0]) if len(short) + len(where) < AXIS), name.split(";")[0])
    if len(name) + len(where) < AXIS:
        return f"{name} {where}"
    return name if attack["harder"] != "away" else f"{attack['parameter'] or ''} {where}".strip()  # not left unsaid


def _identity_line(frame: Frame, attack: Json, at: dict[float, float]) -> list[str]:
    """A dotted line where the attack does nothing, between the rungs that it lies between."""
    zero = attack["identity"]
    below = [value for value in at if value < zero]
    above = [value for value in at if value > zero]
    if not below or not above:
        return []
    low, high = max(below), min(above)
    share = at[low] + (at[high] - at[low]) * (zero - low) / (high - low)
    x = frame.x(0.04 + 0.92 * share)
    return [f'<line class="zero" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.y(0):.1f}" y2="{frame.y(1):.1f}"/>']


def _dodged(at: dict[float, float], schemes: Sequence[str], scheme: str) -> dict[float, float]:
    """A single rung has room to set the schemes side by side."""
    if len(at) != 1:
        return at
    aside = (schemes.index(scheme) - (len(schemes) - 1) / 2) * min(0.08, 0.8 / len(schemes))
    return {value: share + aside for value, share in at.items()}


def _line(frame: Frame, cells: Sequence[Json], at: dict[float, float], index: int, metric: str, lift: float) -> str:
    """One scheme's line, ``lift`` pixels above its true height; the band is where it belongs."""
    scheme = cells[0]["scheme"]
    xs = [frame.x(0.04 + 0.92 * at[cell["strength"]]) for cell in cells]
    rates = [cell[metric] for cell in cells]
    parts = []
    if len(cells) > 1:
        area = band([(x, frame.y(r["low"]), frame.y(r["high"])) for x, r in zip(xs, rates, strict=True)])
        parts.append(f'<path class="band" d="{area}"/>')
        points = [(x, frame.y(r["rate"]) - lift) for x, r in zip(xs, rates, strict=True)]
        parts.append(f'<path class="line" d="{path(points)}"/>')
    for x, cell, rate in zip(xs, cells, rates, strict=True):
        if len(cells) == 1:
            parts.append(
                f'<line class="line" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.y(rate["low"]):.1f}" '
                f'y2="{frame.y(rate["high"]):.1f}"/>'
            )
        tip = (
            f"{scheme} · {cell['attack']} {strength(cell['strength'])}\n"
            f"{METRICS[metric]} {percent(rate)}, 95 % interval {interval(rate)}\n{n_of(rate)}"
        )
        parts.append(dot(x, frame.y(rate["rate"]) - (lift if len(cells) > 1 else 0), index, tip))
    return series("".join(parts), index, scheme=scheme)
