"""The demo's page, in Gradio: what is given, what happens to it, and what is read, all on one screen."""

import html
import re
from collections.abc import Sequence
from dataclasses import astuple
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from watermark.config import compose, default_names
from watermark.demo.work import TIMES, Answer, Harm, Mark, Markers, difference, distance, fitted, harmed
from watermark.errors import UserError
from watermark.files import look
from watermark.shown import reason, shown

FIRST = "tile_spread"
PRESETS = {
    "Nothing": Harm(),
    "Screenshot, JPEG 60": Harm(screenshot=True, quality=60),
    "Turned, cut, smaller": Harm(degrees=5, area=0.8, scale=0.7, quality=75),
    "Dark, blurred, noisy": Harm(brightness=0.6, blur=1, noise=8, quality=50),
}
NO_JPEG = 100
"""Where the slider of the quality stands if no JPEG is saved."""
STYLE = """
#answer {position: fixed; inset: auto 0 0 0; z-index: 9999; background: var(--body-background-fill); border-radius: 0;
  border-top: 1px solid var(--border-color-primary)}
#answer, #answer * {opacity: 1 !important}
.gradio-container {padding-bottom: 9rem !important}
.answer {font-size: 1.15rem; border-left: .3rem solid; padding: .5rem 1rem; overflow-wrap: anywhere}
.answer.yes {border-color: #0072b2} .answer.no {border-color: #d55e00}
.answer p {margin: .2rem 0} .answer .more {font-size: .95rem}
"""
HEAD = """# Invisible watermark: mark, attack, read
A mark that nobody sees says who made a picture and which picture it is. Move the sliders: what is still read?"""


def make_page(markers: Markers, example: Path) -> gr.Blocks:
    """All controls, pictures and the answer; every change of a control answers anew.

    Args:
        markers: under the demo's key.
        example: the picture that is there first.
    """
    strengths = scheme_strengths()
    with gr.Blocks(title="Invisible watermark demo", analytics_enabled=False, delete_cache=(600, 3600)) as page:
        gr.Markdown(HEAD)
        answer = gr.HTML(elem_id="answer")
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                source, mark = _mark_controls(strengths, example)
                harm = _harm_controls()
                bare = gr.Checkbox(False, label="Attack the picture without its mark: nothing should be found")
            with gr.Column(scale=2, min_width=300):
                pictures = _pictures()
        given, outputs = [source, *mark, *harm, bare], [answer, *pictures]
        calls = [page.load, *(one.change for one in given)]
        gr.on(
            calls,
            _answering(markers),
            given,
            outputs,
            trigger_mode="always_last",
            show_progress="minimal",
            show_progress_on=pictures,
            api_visibility="private",
        )
        mark[0].select(lambda name: strengths[name], mark[0], mark[1], api_visibility="private")
    return page


def scheme_strengths() -> dict[str, float]:
    """The schemes that can be chosen, and the dB that each has in its configuration."""
    found = {name: compose("scheme", name).get("target_psnr") for name in default_names("scheme")}
    return {name: float(strength) for name, strength in found.items() if strength is not None}


def _mark_controls(strengths: dict[str, float], example: Path) -> tuple[gr.Image, list[Any]]:
    gr.Markdown("## 1. Mark")
    source = gr.Image(
        str(example), type="filepath", sources=["upload", "clipboard"], height=180, label="Picture", elem_id="source"
    )
    source.preprocess = lambda given: given and given.path  # unopened: our own reader refuses bombs, in our own words
    scheme = gr.Dropdown(list(strengths), value=FIRST, label="Scheme", filterable=False)
    strength = gr.Slider(
        34, 52, strengths[FIRST], step=0.5, label="Strength: distance to the original in dB (higher is fainter)"
    )
    with gr.Row():
        provider = gr.Number(7, precision=0, minimum=0, label="Provider ID: who", min_width=130)
        content = gr.Number(123_456, precision=0, minimum=0, label="Content ID: which picture", min_width=130)
    return source, [scheme, strength, provider, content]


def _harm_controls() -> list[Any]:
    """In the order of ``Harm``."""
    gr.Markdown("## 2. Attack")
    with gr.Row():
        buttons = [gr.Button(name, size="sm", min_width=130) for name in PRESETS]
    controls = [
        gr.Slider(-180, 180, 0, step=0.5, label="Turn, degrees"),
        gr.Slider(0.1, 1, 1, step=0.05, label="Cut: share of the area that is kept"),
        gr.Slider(0.25, 2, 1, step=0.05, label="Scale of each side"),
        gr.Slider(0.3, 2, 1, step=0.05, label="Brightness, factor"),
        gr.Slider(0, 5, 0, step=0.25, label="Blur, sigma in px"),
        gr.Slider(0, 40, 0, step=1, label="Noise, levels of 255"),
        gr.Checkbox(False, label="Screenshot at two thirds of its size"),
        gr.Slider(5, NO_JPEG, NO_JPEG, step=1, label=f"JPEG quality ({NO_JPEG}: not saved)"),
    ]
    for button, harm in zip(buttons, PRESETS.values(), strict=True):
        button.click(lambda harm=harm: _positions(harm), None, controls, api_visibility="private")
    return controls


def _positions(harm: Harm) -> list[Any]:
    *others, quality = astuple(harm)
    return [*others, NO_JPEG if quality is None else quality]


def _pictures() -> list[gr.Image]:
    found = []
    for labels in (("Original", "Marked"), (f"Difference x{TIMES}", "Attacked")):
        with gr.Row():
            for label in labels:
                found.append(
                    gr.Image(
                        label=label,
                        format="png",
                        interactive=False,
                        min_width=240,
                        buttons=["download", "fullscreen"],
                        elem_id=label.split()[0].lower(),
                    )
                )
    return found


def _answering(markers: Markers) -> Any:
    """What answers a change: the last pictures are kept, so that moving a slider does not mark again."""

    @lru_cache(maxsize=8)
    def opened(path: str) -> Image.Image:
        return fitted(look(Path(path)))

    @lru_cache(maxsize=8)
    def marked(path: str, mark: Mark) -> Image.Image:
        return markers.mark(opened(path), mark)

    def answered(path: str | None, *values: Any) -> list[Any]:
        if path is None:
            return [_note("Choose a picture."), None, None, None, None]
        (scheme, strength, provider, content), (*harm, quality), bare = values[:4], values[4:-1], values[-1]
        try:
            mark = Mark(scheme, strength, _whole("provider", provider), _whole("content", content))
            original, with_mark = opened(path), marked(path, mark)
            harm.append(None if quality >= NO_JPEG else int(quality))
            attacked = harmed(original if bare else with_mark, Harm(*harm))
            read = markers.read(mark, with_mark, attacked)
        except (ValueError, UserError) as error:
            said = re.sub(r"^(provider|content)_id must be an integer from", r"\1 ID: expected", reason(error))
            return [_note(said), None, None, None, None]
        faint = difference(with_mark, original)
        label = f"Marked, {distance(with_mark, original):.1f} dB"
        size = f"Attacked{' without mark' * bare}, {attacked.width} x {attacked.height} px"
        return [_words(read), original, gr.Image(with_mark, label=label), faint, gr.Image(attacked, label=size)]

    return answered


def _whole(name: str, value: float | None) -> int:
    if value is None or value != int(value):
        raise UserError(f"{name} ID: expected a whole number, got {'none' if value is None else value}")
    return int(value)


def _words(read: Answer) -> str:
    lines = [read.words()]
    if read.found.is_marked:
        lines.append(f"By chance an unmarked picture reads so at most once in 10^{int(-read.found.log10_p)}.")
    if read.undone:
        lines.append(f"Undone to read it: {read.undone}.")
    return _box("yes" if read.found.is_marked else "no", lines)


def _note(text: str) -> str:
    return _box("no", [text])


def _box(kind: str, lines: Sequence[str]) -> str:
    first, *more = (html.escape(shown(line)) for line in lines)
    others = "".join(f'<p class="more">{line}</p>' for line in more)
    return f'<div class="answer {kind}" role="status"><p><strong>{first}</strong></p>{others}</div>'
