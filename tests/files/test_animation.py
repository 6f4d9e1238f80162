"""Animations marked frame by frame: what is seen, when and how often stays; every frame can be read."""

import io

import numpy as np
import pytest
from PIL import Image
from skimage import data

from watermark import Watermarker, files
from watermark.cli import main
from watermark.errors import UserError
from watermark.mark_file import mark_file, psnr_of_pictures

CAT = Image.fromarray(data.chelsea()[:256, :320])
FRAMES = [CAT, CAT.transpose(Image.Transpose.FLIP_LEFT_RIGHT), CAT.transpose(Image.Transpose.ROTATE_180)]
TIMES = (120, 250, 400)
FORMS = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG"}


@pytest.fixture(scope="module")
def marker():
    return Watermarker.load("tile_spread", key="k", device="cpu")


def animated(path, frames=FRAMES, loop=3, **options):
    options |= {} if loop is None else {"loop": loop}
    options |= {"lossless": True} if path.suffix == ".webp" else {}
    frames[0].save(path, FORMS[path.suffix], save_all=True, append_images=frames[1:], duration=TIMES, **options)


def with_hole(frame, left):
    made = frame.copy()
    alpha = Image.new("L", frame.size, 255)
    alpha.paste(0, (left, 0, left + 60, 50))
    made.putalpha(alpha)
    return made


@pytest.mark.parametrize("target", FORMS)
@pytest.mark.parametrize("source", FORMS)
def test_every_frame_is_marked_and_times_and_loop_stay(tmp_path, marker, source, target):
    animated(tmp_path / f"a{source}")
    given = files.load_any(tmp_path / f"a{source}", every_frame=True)
    made = mark_file(marker, tmp_path / f"a{source}", tmp_path / f"b{target}", 1, 2, every_frame=True, preflight="none")
    marked = files.load_any(tmp_path / f"b{target}", every_frame=True)
    assert (marked.durations, marked.loop, marked.size) == (TIMES, 3, CAT.size)
    assert len(made.psnr_of_frames) == 3
    assert made.psnr == min(made.psnr_of_frames) > {".gif": 34, ".webp": 38, ".png": 44.8}[target]
    for frame, before, psnr in zip(marked.frames, given.frames, made.psnr_of_frames, strict=True):
        assert psnr_of_pictures(frame, before) == pytest.approx(psnr)
        assert marker.detect(frame).content_id == 2
    assert marker.detect(files.look(tmp_path / f"b{target}")).content_id == 2


@pytest.mark.parametrize("suffix", FORMS)
def test_transparency_shows_through_no_frame(tmp_path, marker, suffix):
    animated(tmp_path / f"a{suffix}", [with_hole(frame, 70 * n) for n, frame in enumerate(FRAMES)], disposal=2)
    given = files.load_any(tmp_path / f"a{suffix}", every_frame=True)
    mark_file(marker, tmp_path / f"a{suffix}", tmp_path / f"b{suffix}", 1, 2, every_frame=True, preflight="none")
    marked = files.load_any(tmp_path / f"b{suffix}", every_frame=True)
    for frame, before in zip(marked.frames, given.frames, strict=True):
        assert (np.asarray(before.getchannel("A")) == 0).sum() == 3000
        assert np.array_equal(np.asarray(frame.getchannel("A")), np.asarray(before.getchannel("A")))


@pytest.mark.parametrize("loop", [None, 0])
def test_what_plays_once_plays_once_and_what_plays_for_ever_goes_on(tmp_path, loop):
    animated(tmp_path / "a.gif", loop=loop)
    given = files.load_any(tmp_path / "a.gif", every_frame=True)
    assert given.loop == (1 if loop is None else 0)
    for suffix in FORMS:
        content = files.encode(given, tmp_path / f"b{suffix}").content
        assert files.decode_any(content, "b", every_frame=True).loop == given.loop


def test_the_cover_of_an_apng_is_marked_and_stays_one(tmp_path, marker):
    FRAMES[0].save(tmp_path / "a.png", save_all=True, append_images=FRAMES[1:], default_image=True, duration=(250, 400))
    mark_file(marker, tmp_path / "a.png", tmp_path / "b.png", 1, 2, every_frame=True, preflight="none")
    marked = files.load_any(tmp_path / "b.png", every_frame=True)
    assert marked.has_cover
    assert len(marked.frames) == 3
    assert marked.durations[1:] == (250, 400)
    assert marker.detect(marked.frames[0]).content_id == 2


def test_metadata_go_with_an_animation(tmp_path, marker):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    animated(tmp_path / "a.webp", exif=exif.tobytes(), xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    for suffix in (".webp", ".png"):
        mark_file(marker, tmp_path / "a.webp", tmp_path / f"b{suffix}", 1, 2, every_frame=True, preflight="none")
        held = files.metadata_of((tmp_path / f"b{suffix}").read_bytes(), "b")
        assert b"Maker" in held.exif
        assert held.xmp.startswith(b"<x:xmpmeta")
    made = mark_file(marker, tmp_path / "a.webp", tmp_path / "b.gif", 1, 2, every_frame=True, preflight="none")
    assert made.lost == ("EXIF", "XMP")


def test_without_the_flag_an_animation_is_refused_and_the_flag_named(tmp_path, capsys):
    animated(tmp_path / "a.gif")
    words = ["embed", str(tmp_path / "a.gif"), str(tmp_path / "b.png"), "--provider", "1", "--content", "2"]
    assert main(words) == 2
    assert "expected one still picture, got 2 frames or more; --every-frame marks them all" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"got 2 frames or more$"):  # another verb has no such flag
        files.load(tmp_path / "a.gif")
    assert main([*words, "--every-frame", "--preflight", "none"]) == 0
    assert "dB, 3 frames" in capsys.readouterr().out
    assert main([*words[:2], str(tmp_path / "c.gif"), *words[3:]]) == 2
    assert "say --every-frame, which marks every frame, or name another file such as c.png" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"cannot write \.gif; expected"):  # another verb has no such flag
        files.check_target(tmp_path / "c.gif", overwrite=False)


def test_frames_do_not_go_where_only_one_fits(tmp_path, marker):
    animated(tmp_path / "a.gif")
    with pytest.raises(UserError, match=r"3 frames fit into \.gif, \.png or \.webp"):
        mark_file(marker, tmp_path / "a.gif", tmp_path / "b.jpg", 1, 2, every_frame=True)


def test_all_frames_together_stay_within_the_limit(tmp_path, monkeypatch):
    animated(tmp_path / "a.gif")
    monkeypatch.setenv("WATERMARK_MAX_PIXELS", str(3 * 256 * 320 - 1))
    with pytest.raises(UserError, match="3 frames of 320x256"):
        files.load_any(tmp_path / "a.gif", every_frame=True)


def test_a_folder_keeps_its_gifs_where_frames_are_marked(tmp_path):
    sources = [tmp_path / "a.gif", tmp_path / "a.png"]
    assert [one.name for one in files.targets(sources, tmp_path, tmp_path / "o", every_frame=True).values()] == [
        "a.gif",
        "a.png",
    ]
    with pytest.raises(UserError, match="would both be written"):
        files.targets(sources, tmp_path, tmp_path / "o")


def test_frames_that_repeat_lengthen_the_one_before(tmp_path):
    buffer = io.BytesIO()
    made = files.Animation((FRAMES[0], FRAMES[0].copy(), FRAMES[1]), TIMES, 0)
    buffer.write(files.encode(made, tmp_path / "a.png").content)
    again = files.decode_any(buffer.getvalue(), "a", every_frame=True)
    assert again.durations == (370, 400)
