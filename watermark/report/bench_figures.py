"""``watermark bench`` drawn and tabled: in the report's page, and alone as ``bench.svg`` and ``bench.md``."""

import math
from collections.abc import Sequence

from watermark.json_schema import Json
from watermark.report.sections.bench import growth, single, size_of
from watermark.report.sheet import sheet
from watermark.report.svg import Frame, dot, grid_y, path, series, svg, ticks_x
from watermark.report.wording import NOTHING, digits2, exponent, seconds

FRAME = Frame(left=44)
MARGIN = 0.04
"""Share of the axis that stays free to the left and right of the data."""
MEBIBYTE = 2**20
HEAD = ("Scheme", "Stage", "Size, px", "Batch", "Seconds a picture", "Fastest", "Slowest", "Repeats", "Pictures/s")
GROWTH = ("Scheme", "Stage", "Sizes", "Exponent", "95 % interval", "Steepest step")


class Axes:
    """Pixels across and seconds up, both logarithmic.

    Args:
        cases: what must fit.
    """

    def __init__(self, cases: Sequence[Json]) -> None:
        sizes = [2 * math.log10(case["side"]) for case in cases]
        times = [math.log10(case[name]) for case in cases for name in ("fastest", "seconds", "slowest") if case[name]]
        self.left, self.right = min(sizes), max(sizes)
        self.low = math.floor(min(times))
        self.high = max(math.ceil(max(times)), self.low + 1)

    def share(self, case: Json) -> float:
        """Where the case's pixels lie, 0 to 1."""
        return self._share(2 * math.log10(case["side"]))

    def _share(self, log_pixels: float) -> float:
        wide = self.right - self.left
        return MARGIN + (1 - 2 * MARGIN) * (log_pixels - self.left) / wide if wide else 0.5

    def y(self, log_seconds: float) -> float:
        """Seconds as a height in the frame."""
        return FRAME.y((log_seconds - self.low) / (self.high - self.low))

    def proportional(self) -> list[str]:
        """Lines of slope 1, one per decade of seconds: what a cost linear in pixels runs parallel to."""
        wide = self.right - self.left
        parts = []
        for start in range(self.low - math.ceil(wide), self.high) if wide else ():
            first, last = max(0.0, self.low - start), min(wide, self.high - start)
            if first < last:
                ends = [(FRAME.x(self._share(self.left + d)), self.y(start + d)) for d in (first, last)]
                parts.append(f'<path class="zero faint" d="{path(ends)}"/>')
        return parts


def scaling_plot(cases: Sequence[Json], stage: str, schemes: Sequence[str]) -> str:
    """Seconds a picture against pixels for single pictures, with whiskers over the repeats.

    Args:
        cases: from ``sections.bench``.
        stage: which of them.
        schemes: the place decides colour and marker.
    """
    own = single(cases, stage)
    axes = Axes(own)
    decades = range(axes.low, axes.high + 1)
    up = [((k - axes.low) / (axes.high - axes.low), seconds(10.0**k)) for k in decades]
    across = list(dict.fromkeys((axes.share(case), size_of(case)) for case in own))
    parts = grid_y(FRAME, up) + ticks_x(FRAME, across, "side, px (dotted: proportional to pixels)")
    parts += axes.proportional()
    for index, scheme in enumerate(schemes):
        line = [case for case in own if case["scheme"] == scheme]
        if line:
            parts.append(series(_line(axes, line, index), index, scheme=scheme))
    return svg(FRAME, parts, f"seconds a picture against its pixels, {stage}", "scaling")


def _line(axes: Axes, cases: Sequence[Json], index: int) -> str:
    xs = [FRAME.x(axes.share(case)) for case in cases]
    points = [(x, axes.y(math.log10(case["seconds"]))) for x, case in zip(xs, cases, strict=True)]
    body = f'<path class="line" d="{path(points)}"/>'
    for (x, y), case in zip(points, cases, strict=True):
        if case["fastest"]:
            ends = [(x, axes.y(math.log10(case[name]))) for name in ("fastest", "slowest")]
            body += f'<path class="line" d="{path(ends)}"/>'
        body += dot(x, y, index, _tip(case))
    return body


def _tip(case: Json) -> str:
    text = f"{case['scheme']}, {size_of(case)} px: {seconds(case['seconds'])}"
    if case["fastest"]:
        text += f"\n{seconds(case['fastest'])} to {seconds(case['slowest'])} in {case['repeats']} repeats"
    return f"{text}\npeak {case['peak_bytes'] / MEBIBYTE:.0f} MiB"


def figure(cases: Sequence[Json], schemes: Sequence[str]) -> str:
    """All stages side by side as one SVG file."""
    stages = dict.fromkeys(case["stage"] for case in cases)
    return sheet({stage: scaling_plot(cases, stage, schemes) for stage in stages}, FRAME, schemes)


def markdown(cases: Sequence[Json]) -> str:
    """Every case, then how fast each stage grows with the number of pixels."""
    lines = _table((*HEAD, "Found", "Peak MiB"), [_row(case) for case in cases])
    lines += [
        "",
        "Seconds against pixels: a straight line through the logarithms of the medians, single pictures:",
        "",
    ]
    rows = [
        [g["scheme"], g["stage"], str(g["sizes"]), *exponent(g), f"{g['steepest']:.2f}"] for g in growth(list(cases))
    ]
    return "\n".join(lines + _table(GROWTH, rows)) + "\n"


def _row(case: Json) -> list[str]:
    times = [NOTHING if case[name] is None else f"{case[name]:.4f}" for name in ("seconds", "fastest", "slowest")]
    found = NOTHING if case["found"] is None else f"{case['found']}/{case['batch']}"
    return [
        *(case["scheme"], case["stage"], size_of(case), str(case["batch"]), *times, str(case["repeats"])),
        *(digits2(case["images_per_second"]), found, f"{case['peak_bytes'] / MEBIBYTE:.0f}"),
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]
