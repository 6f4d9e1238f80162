"""The front door: what there is, what it is, whether it works here, and what one file survives."""

import json
import tomllib
from importlib.metadata import metadata
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from watermark import catalogue, doctor
from watermark.cli import main
from watermark.config import CONFIG_DIR
from watermark.files.formats import FORMATS

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def lines(capsys):
    return capsys.readouterr().out.splitlines()


def every_name(group):
    """Of every file below a group's folder."""
    return [path.stem for path in (CONFIG_DIR / group).rglob("*.yaml")]


@pytest.mark.parametrize("kind", catalogue.KINDS)
def test_everything_is_listed_with_one_line_that_says_something(capsys, kind):
    assert main(["list", kind, "--json"]) == 0
    found = [json.loads(line) for line in lines(capsys)]
    names = (
        every_name({**catalogue.GROUPS, "codecs": "layout"}[kind])
        if kind != "extras"
        else metadata("robust-watermark").get_all("Provides-Extra")
    )
    assert [one["name"] for one in found] == sorted(names)
    assert len(names) == len(set(names))
    assert all(len(one["about"]) > 15 and "\n" not in one["about"] for one in found)


def test_list_and_show_take_singular_and_plural(capsys):
    assert main(["list", "layout"]) == main(["list", "layouts"]) == 0
    assert main(["show", "layouts", "l64"]) == main(["show", "layout", "l64"]) == 0
    first, second = capsys.readouterr().out.split("l64: ")[1:]
    assert first.strip() == second.strip()


def test_codecs_are_listed_with_the_fields_of_their_layouts(capsys):
    assert main(["list", "codec"]) == 0
    said = dict(line.split(maxsplit=1) for line in lines(capsys))
    assert said["l64"].endswith("layout=l64, 72 bits: version 4, provider 12, content 40, check 16 (CRC)")
    assert said["l128"].endswith("128 bits: version 4, provider 24, content 68, check 32 (keyed)")
    assert said["l8"].endswith("check 0 (none)")
    assert main(["show", "codec", "l64"]) == main(["show", "layout", "l64"]) == 0
    codec, layout = capsys.readouterr().out.split("l64: ")[1:]
    assert codec.strip() == layout.strip()


def test_a_layout_that_is_none_is_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "layout").mkdir()
    said = "# Mine.\n_target_: watermark.codec.Payload\nprovider_id: 1\ncontent_id: 2\n"
    (tmp_path / "layout" / "mine.yaml").write_text(said)
    monkeypatch.setenv("WATERMARK_CONFIGS", str(tmp_path))
    assert main(["list", "codecs"]) == 2
    assert capsys.readouterr().err.rstrip().endswith("mine.yaml: expected a Layout, got Payload")


def test_no_extra_is_described_that_is_not_there():
    assert set(catalogue.EXTRAS) <= set(tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"])


def test_an_extra_that_is_missing_says_so(monkeypatch):
    monkeypatch.setattr(catalogue, "installed", lambda package: None if package == "fastapi" else "1")
    assert catalogue.missing_packages("serve") == ["fastapi"]
    about = {entry.name: entry.about for entry in catalogue.entries("extras")}
    assert about["serve"].endswith("(not installed: fastapi)")
    assert about["train"].endswith("(installed)")


def test_no_two_attacks_have_the_same_line():
    """Who chooses between ``jpeg`` and ``jpeg_444`` reads what sets them apart."""
    said = [entry.about.split(": ", 1)[-1] for entry in catalogue.entries("attacks")]
    assert sorted({line for line in said if said.count(line) > 1}) == []


@pytest.mark.parametrize("kind", list(catalogue.GROUPS))
def test_what_is_listed_is_shown_with_words(kind):
    group = catalogue.GROUPS[kind]
    assert [name for name in every_name(group) if len(catalogue.show(group, name).text) < 15] == []


def test_what_needs_a_package_is_shown_with_the_words_that_add_it(capsys):
    assert main(["show", "attack", "video_h264"]) == 0
    assert "+attack/needs_package@suite.video_h264=video_h264" in capsys.readouterr().out
    assert main(["show", "attack", "video_h26"]) == 2
    assert "no attack named 'video_h26' (did you mean video_h26" in capsys.readouterr().err


def test_a_plug_in_is_listed_and_shown(tmp_path, monkeypatch, capsys):
    (tmp_path / "layout").mkdir()
    (tmp_path / "layout" / "mine.yaml").write_text("# Mine alone. More.\n_target_: watermark.codec.Layout\n")
    monkeypatch.setenv("WATERMARK_CONFIGS", str(tmp_path))
    main(["list", "layouts"])
    assert ["mine", "Mine", "alone."] in [line.split() for line in lines(capsys)]
    main(["show", "layout", "mine"])
    assert "watermark.codec.payload.Layout" in lines(capsys)


BROKEN = {
    "syntax": b"a: [1,\n b: }",
    "list": b"- 1\n",
    "text": b"hello",
    "binary": bytes(range(256)),
    "deep": b"a: " + b"[" * 3000,
    "no class": b"a: 1\n",
    "no name": b"_target_: 7\n",
    "missing": b"_target_: no.such.Class\n",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_of_a_plug_in_is_one_line(tmp_path, monkeypatch, capsys, kind):
    for group in ("attack", "layout"):
        (tmp_path / group).mkdir()
        (tmp_path / group / "mine.yaml").write_bytes(BROKEN[kind])
    monkeypatch.setenv("WATERMARK_CONFIGS", str(tmp_path))
    for words in (["list", "attacks"], ["show", "attack", "mine"], ["show", "layout", "mine"]):
        assert main(words) == 2, words
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert "unexpected" not in said


def test_a_scheme_is_shown_with_settings_and_card(capsys):
    assert main(["show", "scheme", "learned", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["configuration"]["target_psnr"] == 45
    assert found["card"].startswith("# learned.safetensors")
    assert main(["show", "suite", "smoke"]) == 0
    assert "sweep:" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["diffusion", "diffusion_pixel", "regeneration"])
def test_an_attack_with_a_network_is_shown_with_its_card(name, capsys):
    assert main(["show", "attack", name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["card"].startswith("# Model card")
    assert main(["show", "attack", "jpeg", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["card"] is None


def test_the_doctor_says_works_and_would_say_what_does_not(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "default_names", lambda group: ["tile_spread"])  # seven schemes take seconds to build
    assert main(["doctor"]) == 0
    said = lines(capsys)
    assert said[-1] == "works"
    assert sum(line.startswith("ok    write and read") for line in said) >= 7
    broken = doctor.Check("mark", False, "no", "do this")
    assert doctor.verdict([doctor.Check("time", True, "1 s"), broken]) == "does not work: mark: do this"


@pytest.mark.parametrize("words", [["doctor"], ["doctor", "--json"]])
def test_the_doctor_advises_what_can_be_typed_in_this_clone(words, capsys, monkeypatch):
    missing = doctor.Check("AVIF", None, "not installed: pip install 'robust-watermark[formats]' (pillow_heif)")
    monkeypatch.setattr(doctor, "checks", lambda: iter([missing]))
    assert main(words) == 0
    assert "not installed: uv run --extra formats watermark" in capsys.readouterr().out


def test_the_doctor_notices_a_mark_that_is_not_read_and_one_that_is_not_there(monkeypatch):
    monkeypatch.setattr(doctor.Watermarker, "embed", lambda self, picture, *ids: picture)
    monkeypatch.setattr(doctor, "default_names", lambda group: ["dwt_dct"])
    monkeypatch.setattr("watermark.files.formats.FORMATS", FORMATS[:1])  # each unread file is a whole search
    found = {check.name: check for check in doctor.checks()}
    assert found["read after JPEG 75"].works is False
    assert found["write and read PNG"].works is False
    assert "does not work: read after JPEG 75" in doctor.verdict(list(found.values()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("torture")
    Image.fromarray(data.coffee()).crop((100, 50, 484, 306)).save(folder / "plain.png")
    words = ["embed", str(folder / "plain.png"), str(folder / "marked.png"), "--provider", "7", "--content", "5"]
    assert main([*words, "--preflight", "none"]) == 0
    (folder / "suite").mkdir()
    attacks = {
        "jpeg": "jpeg",
        "rotation": "rotation",
        "crop": "crop",
        "flip": "flip",
        "gaussian_noise": "gaussian_noise",
    }
    chosen = "\n".join(f"  - /attack@{name}: {name}" for name in attacks)
    rungs = "jpeg: {sweep: {quality: [60]}}\nrotation: {sweep: {degrees: [9]}}\ncrop: {sweep: {area: [0.5]}}\n"
    rungs += "gaussian_noise: {sweep: {sigma: [0.9]}}\n"
    (folder / "suite" / "few.yaml").write_text(f"defaults:\n{chosen}\n  - _self_\n{rungs}")
    return folder


def test_torture_says_what_survives_and_what_was_undone(folder, monkeypatch, capsys):
    monkeypatch.setenv("WATERMARK_CONFIGS", str(folder))
    page = folder / "page.html"
    assert main(["torture", str(folder / "marked.png"), "--suite", "few", "--output", str(page)]) == 0
    said = lines(capsys)
    assert said[-2].endswith("survives 4 of 5")
    told = {line.split(",")[0]: line for line in said}
    assert "undone" not in told["jpeg"]
    assert "turned 9.0 degrees left" in told["rotation"]
    assert "0.50 of the area kept" in told["crop"] or "0.51 of the area kept" in told["crop"]
    assert told["flip"].endswith("undone: mirrored")
    assert "LOST" in told["gaussian_noise"]
    html = page.read_text()
    assert html.count("<figure") == 5
    assert html.count("✗ lost") == 1
    assert "http" not in html
    assert main(["torture", str(folder / "marked.png"), "--output", str(page)]) == 2  # never written over unasked


def test_a_picture_without_a_mark_is_not_tortured(folder, capsys):
    assert main(["torture", str(folder / "plain.png")]) == 1
    assert "not marked with this key and scheme" in capsys.readouterr().out


def test_a_scheme_without_a_search_says_nothing_of_undoing(folder, monkeypatch, capsys):
    monkeypatch.setenv("WATERMARK_CONFIGS", str(folder))
    words = ["--scheme", "dwt_dct", "--set", "target_psnr=40"]
    marked = str(folder / "dwt.png")
    assert main(["embed", str(folder / "plain.png"), marked, "--provider", "7", "--preflight", "none", *words]) == 0
    assert main(["torture", marked, "--suite", "few", "--json", *words]) == 0
    found = [json.loads(line) for line in lines(capsys)[1:]]
    assert len(found) == 5
    assert not [one for one in found if one["undone"]]
