from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from watermark.errors import UserError
from watermark.labels import add_visible_label

DEJAVU = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")


@pytest.mark.parametrize("size", [(1024, 1024), (768, 512), (300, 900), (97, 130)])
@pytest.mark.parametrize("share", [0.05, 0.08])
def test_the_drawn_text_is_at_least_as_high_as_promised(size, share):
    labelled = np.asarray(add_visible_label(Image.new("RGB", size, (90, 90, 90)), height=share).convert("L"))
    rows = np.flatnonzero((labelled > 200).any(1))  # white ink
    assert rows[-1] - rows[0] + 1 >= share * min(size)


@pytest.mark.parametrize("corner", ["top-left", "top-right", "bottom-left", "bottom-right"])
def test_the_label_sits_in_its_corner_and_nothing_else_changes(corner):
    before = np.full((200, 300, 3), 90, np.uint8)
    after = np.asarray(add_visible_label(Image.fromarray(before), corner=corner))
    rows, columns = np.nonzero((after != before).any(-1))
    assert (rows.min() == 0) == corner.startswith("top")
    assert (rows.max() == 199) == corner.startswith("bottom")
    assert (columns.min() == 0) == corner.endswith("left")
    assert (columns.max() == 299) == corner.endswith("right")
    assert (after != before).any(-1).mean() < 0.05


@pytest.mark.parametrize("text", ["AI", "生成", "AI generated", "Made by a machine"])
def test_a_text_without_both_elements_is_refused(text):
    with pytest.raises(UserError, match="人工智能 or AI, and 生成 or 合成"):
        add_visible_label(Image.new("RGB", (200, 200)), text)


def test_a_character_without_strokes_asks_for_a_font():
    with pytest.raises(UserError, match="no built-in strokes for 由"):
        add_visible_label(Image.new("RGB", (200, 200)), "由AI生成")


@pytest.mark.skipif(not DEJAVU.exists(), reason="needs a font file")
def test_a_font_without_the_characters_is_refused_and_not_drawn_as_boxes():
    with pytest.raises(UserError, match="the font has no 成 生"):
        add_visible_label(Image.new("RGB", (200, 200)), font=DEJAVU)


def test_bad_heights_fonts_and_tiny_pictures_are_said_in_one_line(tmp_path):
    with pytest.raises(UserError, match=r"0\.05 to 0\.5"):
        add_visible_label(Image.new("RGB", (200, 200)), height=0.04)
    (tmp_path / "no.ttf").write_bytes(b"no font")
    with pytest.raises(UserError, match="not a font file"):
        add_visible_label(Image.new("RGB", (200, 200)), font=tmp_path / "no.ttf")
    with pytest.raises(UserError, match="the label needs"):
        add_visible_label(Image.new("RGB", (30, 300)), height=0.3)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "LA"])
def test_every_mode_keeps_its_size_and_metadata(mode):
    picture = Image.new(mode, (120, 90))
    picture.info["xmp"] = b"kept"
    labelled = add_visible_label(picture)
    assert labelled.size == (120, 90)
    assert labelled.info["xmp"] == b"kept"
    assert labelled.mode == ("RGB" if mode == "P" else mode)
