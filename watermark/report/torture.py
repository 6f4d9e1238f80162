"""The page of `watermark torture`: one HTML file, every attacked picture with what was read from it."""

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from watermark.report.sheet import asset
from watermark.shown import shown

if TYPE_CHECKING:
    from watermark.evaluation.torture import Trial

SIDE = 360
"""Px of the long side of a picture in the page; it is shown at half of it on an ordinary screen."""


def torture_page(name: str, picture: Image.Image, facts: dict[str, str], trials: "Sequence[Trial]") -> str:
    """Draw the page.

    Args:
        name: of the file.
        picture: the marked picture.
        facts: what was read from it, word to value.
        trials: what became of it.
    """
    environment = Environment(loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("torture.html.j2").render(
        name=shown(name),
        facts=facts,
        picture=_uri(picture),
        survived=sum(trial.survives for trial in trials),
        trials=[
            {
                "title": trial.title,
                "event": trial.event,
                "survives": trial.survives,
                "log10_p": f"{trial.found.log10_p:.1f}",
                "named": trial.found.provider_id is not None,
                "undone": trial.undone,
                "size": f"{trial.picture.width} x {trial.picture.height}",
                "picture": _uri(trial.picture),
            }
            for trial in trials
        ],
        css=Markup(asset("plots.css") + asset("style.css") + asset("torture.css")),
    )


def _uri(picture: Image.Image) -> str:
    small, data = picture.convert("RGB"), io.BytesIO()
    small.thumbnail((SIDE, SIDE))
    small.save(data, "WEBP", quality=70)
    return f"data:image/webp;base64,{base64.b64encode(data.getvalue()).decode()}"
