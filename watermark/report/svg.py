"""Just enough SVG to draw a plot: scales, axes, lines with bands. Colours come from ``templates/plots.css``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

Scale = Callable[[float], float]
MARKERS = (
    "M-3,0a3,3 0 1,0 6,0a3,3 0 1,0 -6,0z",
    "M-2.8,-2.8h5.6v5.6h-5.6z",
    "M0,-3.6L3.4,2.6H-3.4z",
    "M0,-3.8L3.8,0L0,3.8L-3.8,0z",
    "M0,3.6L3.4,-2.6H-3.4z",
    "M-3.4,-1h2.4v-2.4h2v2.4h2.4v2h-2.4v2.4h-2v-2.4h-2.4z",
)
"""One shape per scheme, so that a grey print and a colour-blind eye can tell the lines apart."""


@dataclass(frozen=True)
class Frame:
    """The drawing area inside its margins, in pixels."""

    width: float = 300
    height: float = 170
    left: float = 34
    right: float = 10
    top: float = 10
    bottom: float = 30

    def x(self, share: float) -> float:
        """0..1 to pixels, left to right."""
        return self.left + share * (self.width - self.left - self.right)

    def y(self, share: float) -> float:
        """0..1 to pixels, bottom to top."""
        return self.height - self.bottom - share * (self.height - self.top - self.bottom)


def linear(low: float, high: float) -> Scale:
    """A scale from ``low..high`` to 0..1."""
    span = (high - low) or 1.0
    return lambda value: (value - low) / span


def svg(frame: Frame, parts: Sequence[str], label: str, kind: str = "") -> str:
    """Wrap parts into one picture that a screen reader can name."""
    return (
        f'<svg class="plot {kind}" viewBox="0 0 {frame.width:g} {frame.height:g}" role="img" '
        f'aria-label="{escape(label, quote=True)}">{"".join(parts)}</svg>'
    )


FEW = 3
"""Lines whose bands can be told apart; of more, a band shows while its line is pointed at."""


def survival_kind(lines: int) -> str:
    """The kind of a plot of so many lines with bands, for ``svg``."""
    return "survival" if lines <= FEW else "survival many"


def grid_y(frame: Frame, ticks: Sequence[tuple[float, str]]) -> list[str]:
    """Horizontal lines with labels; ticks are ``(share, text)``."""
    parts = []
    for share, text in ticks:
        y = frame.y(share)
        parts.append(
            f'<line class="grid" x1="{frame.left}" x2="{frame.width - frame.right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(
            f'<text class="tick" x="{frame.left - 5}" y="{y + 3.5:.1f}" text-anchor="end">{escape(text)}</text>'
        )
    return parts


def ticks_x(frame: Frame, ticks: Sequence[tuple[float, str]], title: str = "") -> list[str]:
    """Labels under the plot; ticks are ``(share, text)``, those that would touch are left out."""
    parts, last = [], -1e9
    base = frame.height - frame.bottom
    for share, text in ticks:
        x, half = frame.x(share), 3.3 * len(text)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{base:.1f}" y2="{base + 3:.1f}"/>')
        if x - half > last + 3:
            parts.append(
                f'<text class="tick" x="{x:.1f}" y="{base + 13:.1f}" text-anchor="middle">{escape(text)}</text>'
            )
            last = x + half
    if title:
        x = frame.x(0.5)
        parts.append(
            f'<text class="axis" x="{x:.1f}" y="{frame.height - 3:.1f}" text-anchor="middle">{escape(title)}</text>'
        )
    return parts


def path(points: Sequence[tuple[float, float]]) -> str:
    """A polyline as path data."""
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points)


def band(points: Sequence[tuple[float, float, float]]) -> str:
    """The area between two lines as path data; points are ``(x, low, high)``."""
    up = [(x, high) for x, _, high in points]
    down = [(x, low) for x, low, _ in reversed(points)]
    return path([*up, *down]) + "Z"


def dot(x: float, y: float, marker: int, tip: str) -> str:
    """A marker with a tooltip and a wide invisible rim to catch a finger."""
    tip = escape(tip, quote=True)
    return (
        f'<g class="dot" transform="translate({x:.1f},{y:.1f})" tabindex="-1" data-tip="{tip}">'
        f'<circle r="9" class="catch"/><path d="{MARKERS[marker % len(MARKERS)]}"/></g>'
    )


def series(body: str, index: int, kind: str = "series", **data: str) -> str:
    """A group in the colour of scheme ``index``; ``data`` becomes data attributes that the page filters by."""
    named = "".join(f' data-{name}="{escape(value, quote=True)}"' for name, value in data.items())
    return f'<g class="{kind}"{named} style="--c:var(--s{index % 8})">{body}</g>'
