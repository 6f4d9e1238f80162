"""What the demo does to a picture, without its page."""

import sys
from types import ModuleType

import numpy as np
import pytest
from PIL import Image
from skimage import data

from watermark.cli import main
from watermark.demo.work import LONGEST, Harm, Mark, Markers, difference, distance, fitted, harmed

COFFEE = Image.fromarray(data.coffee()[:320, :384])
MARK = Mark("tile_spread", 42, 7, 123)


@pytest.fixture(scope="module")
def markers():
    return Markers("the demo's own")


@pytest.fixture(scope="module")
def marked(markers):
    return markers.mark(COFFEE, MARK)


def test_what_was_marked_is_read_in_the_words_of_detect_with_what_was_undone(markers, marked):
    attacked = harmed(marked, Harm(degrees=5, area=0.8, quality=75))
    read = markers.read(MARK, marked, attacked)
    assert read.words().startswith("marked, provider 7, content 123 (log10 p -")
    assert read.undone.startswith("turned 5.0 degrees left")
    assert markers.read(MARK, marked, COFFEE).words() == "not marked (log10 p 0.0)"


def test_the_strength_is_that_of_the_slider_and_the_difference_is_shown_20_times(marked):
    assert distance(marked, COFFEE) == pytest.approx(42, abs=0.1)
    shown = np.asarray(difference(marked, COFFEE)).astype(int)
    true = np.asarray(marked).astype(int) - np.asarray(COFFEE)
    assert (shown == (128 + 20 * true).clip(0, 255)).all()


def test_controls_at_rest_change_nothing_and_each_one_something():
    assert harmed(COFFEE, Harm()) is COFFEE
    moved = {"degrees": 3, "area": 0.9, "scale": 0.9, "brightness": 1.1, "blur": 1, "noise": 3, "quality": 50}
    for name, value in {**moved, "screenshot": True}.items():
        after = harmed(COFFEE, Harm(**{name: value}))
        assert after.size != COFFEE.size or after.tobytes() != COFFEE.tobytes(), name


def test_large_pictures_are_reduced():
    assert fitted(Image.new("L", (3000, 1500))).size == (LONGEST, LONGEST // 2)


@pytest.mark.parametrize("missing", ["gradio", "uvicorn"])
@pytest.mark.parametrize(
    ("from_a_clone", "advice"),
    [(False, "pip install 'robust-watermark[demo]'"), (True, "uv run --extra demo watermark demo --port 0")],
)
def test_without_the_extra_one_line_says_what_to_install(monkeypatch, capsys, from_a_clone, advice, missing):
    """Whatever is installed here: one package of the extra is hidden, and of the others an empty one will do."""
    monkeypatch.setattr("watermark.shown.FROM_A_CLONE", from_a_clone)
    for name in ("gradio", "uvicorn"):
        monkeypatch.setitem(sys.modules, name, None if name == missing else ModuleType(name))
    assert main(["demo", "--port", "0"]) == 2
    assert capsys.readouterr().err == f"watermark: demo needs the package {missing}: {advice}\n"
