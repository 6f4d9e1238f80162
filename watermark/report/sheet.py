"""Plots that leave the page: several of them as one SVG file with its own style sheet."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources

from watermark.report.svg import MARKERS, Frame, series

HEAD, GAP, FOOT = 22, 20, 18
"""Pixels over a plot for its title, between plots, and below them for the legend."""
STYLE = """
svg { font-family: system-ui, sans-serif; overflow: visible; }
.plot .title { fill: var(--ink); font-weight: 600; }
"""


def asset(name: str) -> str:
    """A text file of ``templates``."""
    return (resources.files(__package__) / "templates" / name).read_text(encoding="utf-8")


def sheet(panels: Mapping[str, str], frame: Frame, names: Sequence[str], columns: int = 2) -> str:
    """One SVG file that needs no page around it.

    Args:
        panels: title to plot, each from ``svg.svg``.
        frame: of each plot.
        names: schemes for the legend, in the order of their colours.
        columns: plots side by side.
    """
    wide, high = frame.width + GAP, frame.height + HEAD + GAP
    width = wide * min(columns, len(panels)) + GAP
    height = high * math.ceil(len(panels) / columns) + GAP + FOOT
    body = [f'<rect width="{width:g}" height="{height:g}" fill="var(--surface)"/>']
    for place, (title, plot) in enumerate(panels.items()):
        x, y = GAP + wide * (place % columns), GAP + high * (place // columns)
        body.append(f'<text class="title" x="{x:g}" y="{y + 8:g}">{escape(title)}</text>')
        where = f'<svg x="{x:g}" y="{y + HEAD:g}" width="{frame.width:g}" height="{frame.height:g}"'
        body.append(plot.replace('<svg class="plot ', f'{where} class="panel ', 1))
    body.append(_legend(names, GAP + frame.left, height - 14))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 {width:g} {height:g}" width="{width:g}">'
        f"<style>{asset('plots.css')}{STYLE}</style>{''.join(body)}</svg>\n"
    )


def _legend(names: Sequence[str], x: float, y: float) -> str:
    parts = []
    for index, name in enumerate(names):
        mark = f'<path d="{MARKERS[index % len(MARKERS)]}"/>'
        body = f'<g class="dot" transform="translate({x:g},{y:g})">{mark}</g>'
        parts.append(series(f'{body}<text x="{x + 8:g}" y="{y + 4:g}">{escape(name)}</text>', index))
        x += 30 + 6.2 * len(name)
    return "".join(parts)
