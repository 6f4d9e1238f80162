import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from watermark.cli import main
from watermark.errors import UserError

PICTURE = Image.fromarray(data.chelsea())


@pytest.fixture
def folder(tmp_path):
    """Three pictures, one of them cut off, and a file that is no picture."""
    source = tmp_path / "in"
    (source / "sub").mkdir(parents=True)
    PICTURE.save(source / "a.png")
    PICTURE.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(source / "sub" / "b.jpg", quality=95)
    (source / "broken.png").write_bytes((source / "a.png").read_bytes()[:20_000])
    (source / "notes.txt").write_text("nothing")
    return source


def test_one_picture_is_marked_and_found(tmp_path, capsys):
    PICTURE.save(tmp_path / "in.png")
    assert (
        main(["embed", str(tmp_path / "in.png"), str(tmp_path / "out.jpg"), "--provider", "7", "--content", "123"]) == 0
    )
    assert "provider 7, content 123, PSNR 39." in capsys.readouterr().out
    assert main(["detect", str(tmp_path / "out.jpg")]) == 0
    assert "marked, provider 7, content 123" in capsys.readouterr().out
    assert main(["detect", str(tmp_path / "in.png")]) == 1
    assert "not marked" in capsys.readouterr().out


def test_a_mark_whose_id_is_not_certain_enough_is_said_to_be_one_and_nobody_is_named(tmp_path, capsys):
    PICTURE.save(tmp_path / "in.png")
    main(["embed", str(tmp_path / "in.png"), str(tmp_path / "out.png"), "--provider", "7", "--content", "123"])
    capsys.readouterr()
    asked = ["detect", str(tmp_path / "out.png"), "--misattribution-rate", "1e-290"]
    assert main(asked) == 0
    line = capsys.readouterr().out
    assert "marked with this key, too faint to say whose ID" in line
    assert "provider" not in line
    assert main([*asked, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["is_marked"], told["provider_id"], told["content_id"]) == (True, None, None)
    assert told["name_uncertain"].endswith("promised at most 1e-290)")


@pytest.mark.parametrize("verb", ["detect", "locate", "trace", "serve"])
@pytest.mark.parametrize("option", ["--false-positive-rate", "--misattribution-rate"])
@pytest.mark.parametrize("rate", ["2", "0", "nan", "often"])
def test_a_rate_that_is_none_is_told_by_the_option_that_was_typed(verb, option, rate, capsys):
    with pytest.raises(SystemExit, match="2"):
        main([verb, "in.png", option, rate])
    assert f"watermark: {option}: expected a number between 0 and 1, got '{rate}'; see" in capsys.readouterr().err


def test_a_folder_is_not_marked_into_what_has_the_name_of_a_picture(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    PICTURE.save(tmp_path / "in" / "a.png")
    assert main(["embed", str(tmp_path / "in"), str(tmp_path / "out.PNG"), "--provider", "7"]) == 2
    assert "out.PNG: expected a folder for the pictures of" in (said := capsys.readouterr().err)
    assert "got the name of a picture" in said
    assert not (tmp_path / "out.PNG").exists()


def test_strangers_learn_nothing_of_unmarked_pictures_and_no_measure_of_marked_ones(tmp_path, capsys):
    PICTURE.save(tmp_path / "in.png")
    main(["embed", str(tmp_path / "in.png"), str(tmp_path / "out.png"), "--provider", "7", "--content", "123"])
    capsys.readouterr()
    assert main(["detect", "--public", "--json", str(tmp_path / "in.png"), str(tmp_path / "out.png")]) == 1
    plain, marked = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    nothing = {"is_marked": False, "provider_id": None, "content_id": None, "name_uncertain": False}
    assert plain == {"file": str(tmp_path / "in.png"), **nothing, "at_most_one_in": None}
    known = {"is_marked": True, "provider_id": 7, "content_id": 123, "name_uncertain": False}
    assert marked == {"file": str(tmp_path / "out.png"), **known, "at_most_one_in": 10**12}
    assert main(["detect", "--public", str(tmp_path / "in.png")]) == 1
    assert capsys.readouterr().out == f"{tmp_path / 'in.png'}: not marked\n"


def test_without_a_content_id_every_picture_gets_its_own_and_its_line_says_which(folder, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["embed", str(folder), str(out), "--provider", "3"]) == 2  # broken.png
    printed = capsys.readouterr().out
    assert "2 of 3 pictures marked, provider 3, random content IDs" in printed
    said = dict(re.findall(r"(\w+\.\w+): provider 3, content (\d+)", printed))
    assert main(["detect", "--json", str(out)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = {Path(row["file"]).name: str(row["content_id"]) for row in rows}
    assert found == said
    assert len(set(said.values())) == 2


def test_json_says_everything_in_one_line_per_picture(tmp_path, capsys):
    PICTURE.save(tmp_path / "in.png")
    main(["embed", str(tmp_path / "in.png"), str(tmp_path / "out.png"), "--provider", "1", "--content", "2"])
    capsys.readouterr()
    assert main(["detect", "--json", str(tmp_path / "out.png"), str(tmp_path / "in.png")]) == 1
    marked, plain = map(json.loads, capsys.readouterr().out.splitlines())
    assert (marked["is_marked"], marked["provider_id"], marked["content_id"]) == (True, 1, 2)
    assert marked["log10_p"] < -6
    assert (plain["is_marked"], plain["provider_id"]) == (False, None)


def test_a_broken_file_in_a_folder_costs_one_line_and_not_the_run(folder, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["embed", str(folder), str(out), "--provider", "3", "--content", "100"]) == 2
    printed = capsys.readouterr()
    assert "2 of 3 pictures marked, provider 3, content 100 to 102" in printed.out
    assert "a.png: provider 3, content 100" in printed.out  # which picture has which
    assert [line for line in printed.err.splitlines() if "broken.png" in line and "cannot be read" in line]
    assert sorted(p.relative_to(out).as_posix() for p in out.rglob("*.*")) == ["a.png", "sub/b.jpg"]
    assert main(["detect", str(out)]) == 0
    found = capsys.readouterr().out
    assert "content 100" in found  # every picture has its own content ID
    assert "content 102" in found


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["embed", "in.png", "in.png", "--provider", "1", "--content", "1"], "exists already"),
        (["embed", "in.png", "out.png", "--provider", "5000", "--content", "1"], "0 to 4095, got 5000"),
        (["embed", "in.png", "out.gif", "--provider", "1", "--content", "1"], "cannot write .gif"),
        (["embed", "none.png", "out.png", "--provider", "1", "--content", "1"], "no such file"),
        (["embed", "in.png", "out.png", "--provider", "1", "--content", "1", "--quality", "0"], "1 to 100, got 0"),
        (["detect", "none.png"], "no such file"),
        (["detect", "in.png", "--scheme", "none"], "expected one of"),
        (["detect", "in.png", "--layout", "none"], "expected one of"),
        (["detect", "in.png", "--key-file", "none"], "none"),
        (["detect", "in.png", "--set", "psnr"], "NAME=VALUE, got psnr"),
        (["detect", "in.png", "--set", "psnr=3"], "no setting 'psnr'"),
    ],
)
def test_bad_input_is_one_line_and_status_2_and_loses_nothing(tmp_path, monkeypatch, capsys, words, reason):
    monkeypatch.chdir(tmp_path)
    PICTURE.save("in.png")
    before = (tmp_path / "in.png").read_bytes()
    assert main(words) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("watermark:")]
    assert len(lines) == 1
    assert reason in lines[0]
    assert (tmp_path / "in.png").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["in.png"]


def test_an_input_is_overwritten_only_when_asked(tmp_path):
    path = tmp_path / "in.png"
    PICTURE.save(path)
    assert main(["embed", str(path), str(path), "--provider", "1", "--content", "1", "--overwrite"]) == 0
    assert not np.array_equal(np.asarray(Image.open(path)), np.asarray(PICTURE))
    assert main(["detect", str(path)]) == 0


def test_a_key_file_makes_marks_that_only_its_holder_finds(tmp_path):
    PICTURE.save(tmp_path / "in.png")
    key = ["--key-file", str(tmp_path / "key")]
    assert main(["key", "new", str(tmp_path / "key")]) == 0
    marked = str(tmp_path / "out.png")
    assert main(["embed", str(tmp_path / "in.png"), marked, "--provider", "1", "--content", "1", *key]) == 0
    assert main(["detect", marked, *key]) == 0
    assert main(["detect", marked]) == 1


def test_two_inputs_of_one_output_are_refused_before_anything_is_touched(tmp_path, capsys):
    for name, picture in (("a.png", PICTURE), ("a.gif", PICTURE.rotate(180)), ("b.png", PICTURE)):
        picture.save(tmp_path / name)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for target in (tmp_path, tmp_path / "out"):
        assert main(["embed", str(tmp_path), str(target), "--provider", "1", "--overwrite"]) == 2
        assert "would" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_files_that_are_not_looked_at_are_counted_and_an_odd_name_is_printed_harmlessly(tmp_path, capsys):
    (tmp_path / "camera.cr2").write_bytes(b"x")
    (tmp_path / "bad\x1b[31m\n.png").write_bytes(b"no picture")
    assert main(["detect", str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert "1 file not looked at (1 .cr2" in printed.err
    assert "\x1b[31m" not in printed.err + printed.out
    assert "bad\\x1b[31m\\x0a.png: expected one of PNG" in printed.err


def test_a_crash_is_never_an_answer(tmp_path, monkeypatch, capsys):
    PICTURE.save(tmp_path / "in.png")
    monkeypatch.setattr("watermark.watermarker.Watermarker.load", lambda *_, **__: 1 / 0)
    assert main(["detect", str(tmp_path / "in.png")]) == 2
    assert "unexpected ZeroDivisionError" in capsys.readouterr().err


def test_an_exception_of_any_type_from_one_picture_ends_in_one_line_and_the_folder_goes_on(folder, monkeypatch, capsys):
    from watermark.watermarker import Watermarker

    embed = Watermarker.embed

    def fails_once(self, image, *ids):
        if image.size == PICTURE.size and ids[1] == 5:
            raise RuntimeError("Failed to decode frame 0\nsecond line")
        return embed(self, image, *ids)

    monkeypatch.setattr(Watermarker, "embed", fails_once)
    (folder / "broken.png").unlink()
    assert main(["embed", str(folder), str(folder / "out"), "--provider", "1", "--content", "5"]) == 2
    printed = capsys.readouterr()
    assert "1 of 2 pictures marked" in printed.out
    assert "RuntimeError (Failed to decode frame 0 second line)" in printed.err


@pytest.mark.parametrize(
    "error", [torch.linalg.LinAlgError("no inverse"), UserError("not ours"), OSError(5, "no disk")]
)
@pytest.mark.parametrize("verb", ["embed", "detect"])
def test_the_variable_shows_where_one_picture_of_many_failed_for_reasons_of_ours(
    folder, monkeypatch, verb, error, caplog
):
    def fails(*_):
        raise error

    (folder / "broken.png").unlink()
    monkeypatch.setattr(f"watermark.watermarker.Watermarker.{verb}", fails)
    words = [verb, str(folder), *([str(folder / "out"), "--provider", "1"] if verb == "embed" else [])]
    assert main(words) == 2
    assert "traceback" not in caplog.messages
    monkeypatch.setenv("WATERMARK_TRACEBACK", "1")
    assert main(words) == 2
    traced = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert traced == ([error, error] if isinstance(error, torch.linalg.LinAlgError) else [])


def test_the_line_of_an_error_of_ours_names_picture_kind_and_variable(folder, monkeypatch, capsys):
    monkeypatch.setattr("watermark.watermarker.Watermarker.detect", lambda *_: torch.linalg.inv(torch.zeros(2, 2)))
    assert main(["detect", str(folder / "a.png")]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "a.png" in line]
    assert re.search(r"a\.png: _?LinAlgError \(.*\); WATERMARK_TRACEBACK=1 shows where$", line)


def test_a_jpeg_that_is_saved_at_a_higher_quality_for_its_mark_is_told_so(tmp_path, capsys):
    picture = Image.fromarray(data.immunohistochemistry()).crop((0, 0, 320, 240))
    picture.save(tmp_path / "in.jpg", quality=75)
    words = ["embed", str(tmp_path / "in.jpg"), str(tmp_path / "out.jpg"), "--provider", "1", "--content", "2"]
    assert main([*words, "--preflight", "none"]) == 0
    assert "note: " in (said := capsys.readouterr().err)
    assert "out.jpg: saved at JPEG quality 98, for at the quality that it came with" in said


def test_a_picture_of_a_folder_that_is_refused_is_told_how_it_is_marked_alone(folder, tmp_path, capsys):
    (folder / "broken.png").unlink()
    PICTURE.resize((64, 64)).save(folder / "my b.jpg", quality=90)
    words = ["embed", str(folder), str(tmp_path / "out"), "--provider", "1", "--preflight", "none"]
    assert main([*words, "--content", "5"]) == 2
    said = capsys.readouterr().err.splitlines()
    (note,) = [line for line in said if line.startswith("note: this one alone, with other options: ")]
    assert note.endswith(f"embed '{folder}/my b.jpg' '{tmp_path}/out/my b.jpg' --provider 1 --content 6 ...")
    assert "another --quality may keep it" in said[said.index(note) - 1]
    assert main([*words, "--overwrite"]) == 2
    assert "my b.jpg' --provider 1 ...\n" in capsys.readouterr().err  # the next content ID is random too


def test_the_pixel_limit_is_an_option(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WATERMARK_MAX_PIXELS", "50000000")
    PICTURE.save(tmp_path / "in.png")
    assert main(["detect", str(tmp_path / "in.png"), "--max-pixels", "1000"]) == 2
    assert "the limit is 0.001 (--max-pixels or WATERMARK_MAX_PIXELS raises it)" in capsys.readouterr().err


def test_a_folder_marked_in_place_goes_on_where_it_was_stopped(tmp_path, capsys):
    PICTURE.save(tmp_path / "a.png")
    PICTURE.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "b.png")
    words = ["embed", str(tmp_path), str(tmp_path), "--provider", "1", "--overwrite", "--scheme", "dwt_dct"]
    first = str(tmp_path / "a.png")
    assert main(["embed", first, first, *words[3:], "--content", "5"]) == 0  # as far as a killed run came
    before = (tmp_path / "a.png").read_bytes()
    assert main([*words, "--content", "5"]) == 0
    printed = capsys.readouterr().out
    assert "a.png: is marked with this key already (provider 1, content 5); left as it is" in printed
    assert "1 of 2 pictures marked, provider 1, content 5 to 6; 1 left as they are" in printed
    assert (tmp_path / "a.png").read_bytes() == before
    assert main(["detect", str(tmp_path), "--scheme", "dwt_dct"]) == 0
    assert "b.png: marked, provider 1, content 6" in capsys.readouterr().out


@pytest.mark.parametrize(("number", "words"), [(28, "No space left on device"), (30, "Read-only file system")])
def test_a_full_or_read_only_disk_is_said_once_and_not_for_every_picture(
    folder, tmp_path, monkeypatch, capsys, number, words
):
    def full(*_):
        raise OSError(number, words)

    monkeypatch.setattr(os, "write", full)
    words_of_it = ["embed", str(folder), str(tmp_path / "out"), "--provider", "7", "--scheme", "dwt_dct"]
    assert main([*words_of_it, "--preflight", "none"]) == 2
    told = capsys.readouterr()
    said = [line for line in told.err.splitlines() if line.startswith("watermark: ")]
    assert said == [f"watermark: {tmp_path / 'out' / 'a.png'}: cannot be written ({words})"]
    assert told.out.startswith("0 of ")
    assert list((tmp_path / "out").iterdir()) == []
