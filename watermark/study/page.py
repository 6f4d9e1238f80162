"""One HTML file that asks: which of these two is marked? It works offline and saves the answers to a file."""

import base64
import hashlib
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image


@dataclass(frozen=True)
class Pair:
    """One picture with and without the mark, as data addresses.

    Attributes:
        name: of the picture, in the answers.
        original: WebP without loss.
        marked: the same.
    """

    name: str
    original: str
    marked: str


def pair(name: str, original: Image.Image, marked: Image.Image, side: int) -> Pair:
    """The middle of both, at most ``side`` px a side and never scaled: scaling would change what is seen."""
    if original.size != marked.size:
        raise ValueError(f"{name}: expected two pictures of one size, got {original.size} and {marked.size}")
    return Pair(name, _uri(original, side), _uri(marked, side))


def study_page(pairs: Sequence[Pair], repeats: int) -> str:
    """Draw the page.

    Args:
        pairs: the pictures.
        repeats: how often each is shown to one person.
    """
    shown = [asdict(one) for one in pairs]
    name = hashlib.sha256(repr((shown, repeats)).encode()).hexdigest()[:16]
    environment = Environment(loader=PackageLoader(__package__, ""), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("study.html.j2").render(
        study={"study": name, "pairs": shown, "repeats": repeats}, trials=len(pairs) * repeats
    )


def _uri(picture: Image.Image, side: int) -> str:
    width, height = (min(one, side) for one in picture.size)
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    data = io.BytesIO()
    picture.convert("RGB").crop((left, top, left + width, top + height)).save(data, "WEBP", lossless=True)
    return f"data:image/webp;base64,{base64.b64encode(data.getvalue()).decode()}"
