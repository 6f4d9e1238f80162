"""The other plots of the page: p-values of negatives, registry look-ups, the quality plane, raw-bit bias."""

import math
from collections.abc import Sequence

from watermark.json_schema import Json
from watermark.report.curves import RATE_TICKS
from watermark.report.svg import Frame, band, dot, grid_y, linear, path, series, svg, ticks_x
from watermark.report.wording import power, strength

WIDE = Frame(width=460, height=260, left=42, bottom=38)
MOST_MARKS = 12  # on an axis, however far a (perhaps falsified) value lies


def null_plot(entries: Sequence[Json], schemes: Sequence[str]) -> str:
    """Observed against promised p-values of unmarked pictures; above the diagonal would be a broken promise."""
    lines = [(entry["scheme"], entry["null"]["plot_attacked"]) for entry in entries]
    reach = max([1.0] + [max(point) for _, points in lines for point in points])
    scale = linear(0, reach * 1.04)
    step = math.ceil(reach / MOST_MARKS)
    marks = [(scale(k), f"1e-{k}" if k else "1") for k in range(0, step * MOST_MARKS + 1, step) if k <= reach]
    parts = grid_y(WIDE, marks) + ticks_x(WIDE, marks, "p-value rank: what a perfect uniform law would give")
    diagonal = path([(WIDE.x(0), WIDE.y(0)), (WIDE.x(1), WIDE.y(1))])
    danger = path([(WIDE.x(0), WIDE.y(0)), (WIDE.x(1), WIDE.y(1)), (WIDE.x(0), WIDE.y(1))]) + "Z"
    parts += [f'<path class="danger" d="{danger}"/>', f'<path class="zero" d="{diagonal}"/>']
    x, y = WIDE.x(0.04), WIDE.y(0.93)
    parts.append(f'<text class="axis" x="{x:.0f}" y="{y:.0f}">more alarms than promised</text>')
    for scheme, points in lines:
        index = schemes.index(scheme)
        dots = []
        for expected, observed in points[:6]:
            tip = f"{scheme}\np-value {power(10**-observed)} where {power(10**-expected)} is due by rank"
            dots.append(dot(WIDE.x(scale(expected)), WIDE.y(scale(observed)), index, tip))
        line = path([(WIDE.x(scale(e)), WIDE.y(scale(o))) for e, o in points]) if points else ""
        parts.append(series(f'<path class="line" d="{line}"/>' + "".join(dots), index, scheme=scheme))
    return svg(WIDE, parts, "observed against promised p-values of unmarked pictures", "null")


def registry_plot(entries: Sequence[Json], schemes: Sequence[str]) -> str:
    """Share of readings attributed to the right owner against the number of ids in the registry."""
    parts = grid_y(WIDE, RATE_TICKS)
    sizes: list[Json] = next((entry["lookup"] for entry in entries if entry["lookup"]), [])
    shares = {point["size"]: i / max(1, len(sizes) - 1) for i, point in enumerate(sizes)}
    parts += ticks_x(WIDE, [(0.04 + 0.92 * s, power(size)) for size, s in shares.items()], "ids in the registry")
    for entry in entries:
        if not entry["lookup"]:
            continue
        index = schemes.index(entry["scheme"])
        points = [(WIDE.x(0.04 + 0.92 * shares[p["size"]]), WIDE.y(p["right"])) for p in entry["lookup"]]
        body = f'<path class="line" d="{path(points)}"/>'
        for (x, y), point in zip(points, entry["lookup"], strict=True):
            tip = (
                f"{entry['scheme']}, {power(point['size'])} ids\nright {100 * point['right']:.0f} %, "
                f"wrong {power(point['wrong']) if point['wrong'] else 0}, none {100 * point['none']:.0f} %"
            )
            body += dot(x, y, index, tip)
        parts.append(series(body, index, scheme=entry["scheme"]))
    return svg(WIDE, parts, "right owner against registry size", "registry")


def quality_plot(curves: Sequence[Json], scheme: str, index: int) -> str:
    """P against Q for one scheme: a line per attack whose pixels stay in place."""
    own = [c for c in curves if c["scheme"] == scheme and all(p["q"] is not None for p in c["points"])]
    reach = max([0.3] + [p["q"] for c in own for p in c["points"]])
    scale = linear(0, reach * 1.05)
    steps = [k / 10 for k in range(int(reach * 10) + 1)]
    steps = steps[:: max(1, len(steps) // 6)]
    parts = grid_y(WIDE, RATE_TICKS)
    parts += ticks_x(WIDE, [(scale(s), f"{s:g}") for s in steps], "quality cost Q of the attack → more damage")
    for curve in own:
        points = sorted(((p["q"], p["p"], p["strength"]) for p in curve["points"]), key=lambda p: p[0])
        places = [(WIDE.x(scale(q)), WIDE.y(p)) for q, p, _ in points]
        body = f'<path class="line" d="{path(places)}"/>'
        for (x, y), (q, p, value) in zip(places, points, strict=True):
            tip = f"{curve['attack']} {strength(value)}\nfound {100 * p:.0f} %, Q = {q:.3f}"
            body += dot(x, y, index, tip)
        parts.append(series(body, index, "series thin", attack=curve["attack"]))
    return svg(WIDE, parts, f"detection against quality cost for {scheme}", "plane")


def bits_plot(bits: Json, scheme: str, index: int) -> str:
    """Share of 1s of every raw bit over clean unmarked pictures, sorted; fair coins stay in the grey band."""
    frame = Frame(width=300, height=120, bottom=24)
    shares = sorted(bits["share_of_ones"])
    half = 1.96 * 0.5 / bits["n"] ** 0.5
    top, bottom = frame.y(min(1, 0.5 + half)), frame.y(max(0, 0.5 - half))
    parts = grid_y(frame, [(0, "0"), (0.5, ".5"), (1, "1")])
    parts.append(
        f'<rect class="fair" x="{frame.left}" width="{frame.width - frame.left - frame.right}" y="{top:.1f}" '
        f'height="{bottom - top:.1f}"/>'
    )
    points = [(frame.x(i / max(1, len(shares) - 1)), frame.y(share)) for i, share in enumerate(shares)]
    parts.append(series(f'<path class="line" d="{path(points)}"/>', index, scheme=scheme))
    parts += ticks_x(frame, [], f"{bits['bits']} raw bits, sorted; {bits['n']} pictures")
    return svg(frame, parts, f"share of ones per raw bit, {scheme}", "bits")


def forgery_plot(answers: Sequence[Json], schemes: Sequence[str]) -> str:
    """How often the attacker wins against how many pictures he averages or copies he compares, with 95 % bands."""
    frame = Frame()
    amounts = sorted({answer["amount"] for answer in answers})
    at = {n: 0.04 + 0.92 * i / (len(amounts) - 1) for i, n in enumerate(amounts)}
    parts = grid_y(frame, RATE_TICKS)
    axis = "copies compared" if answers[0]["test"] == "F5" else "marked pictures averaged"
    parts += ticks_x(frame, [(at[n], str(n)) for n in amounts], axis)
    for scheme in reversed(schemes):
        own = sorted((a for a in answers if a["scheme"] == scheme), key=lambda a: a["amount"])
        if not own:
            continue
        xs, index = [frame.x(at[a["amount"]]) for a in own], schemes.index(scheme)
        area = band([(x, frame.y(a["low"]), frame.y(a["high"])) for x, a in zip(xs, own, strict=True)])
        line = path([(x, frame.y(a["rate"])) for x, a in zip(xs, own, strict=True)])
        body = f'<path class="band" d="{area}"/><path class="line" d="{line}"/>'
        for x, a in zip(xs, own, strict=True):
            low, high = round(100 * a["low"]), round(100 * a["high"])
            tip = f"{scheme}\n{a['setting']}\n{a['wins']} of {a['n']}, 95 % interval {low} to {high} %"
            body += dot(x, frame.y(a["rate"]), index, tip)
        parts.append(series(body, index, scheme=scheme))
    return svg(frame, parts, f"attacker's wins, {answers[0]['family']}", "forgery")
