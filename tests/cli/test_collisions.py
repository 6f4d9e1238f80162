"""No picture is written over another: names that differ by case or Unicode form, links, and outputs that are inputs."""

import hashlib
import unicodedata

import numpy as np
import pytest
from PIL import Image

from watermark.cli import main
from watermark.evaluation.parts import sample_folder
from watermark.files import check_apart

COMPOSED = "\u00e9t\u00e9"  # été in one character a letter, as Linux and Windows write it; macOS takes it apart
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)
MARK = ["--provider", "7", "--scheme", "dwt_dct", "--preflight", "none"]


@pytest.fixture
def folder(tmp_path):
    """Makes a folder of pictures, all different."""
    rng = np.random.default_rng(0)

    def make(*names):
        for name in names:
            path = tmp_path / "in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            waves = 127 + 60 * np.sin(np.arange(160) / rng.uniform(4, 12))[:, None, None]
            Image.fromarray((waves + rng.normal(0, 9, (160, 176, 3))).clip(0, 255).astype(np.uint8)).save(path)
        return tmp_path / "in"

    return make


def hashes(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def embed(*words):
    return main(["embed", *map(str, words), *MARK])


@pytest.mark.parametrize(
    "names", [("A.png", "a.png"), (f"{COMPOSED}.png", f"{DECOMPOSED}.png"), ("Stra\u00dfe.png", "STRASSE.png")]
)
def test_names_that_some_disks_take_for_one_are_refused_before_anything_is_marked(folder, capsys, names):
    source = folder(*names)
    before = hashes(source)
    assert embed(source, source.parent / "out", "--overwrite") == 2
    assert "would both be written to" in capsys.readouterr().err
    assert hashes(source) == before
    assert not (source.parent / "out").exists()
    assert embed(source, source, "--overwrite") == 0  # where they are, this disk tells them apart
    assert hashes(source).keys() == before.keys()
    assert not set(hashes(source).values()) & set(before.values())


def test_links_in_place_lead_to_marked_pictures_and_are_no_error_whatever_their_order(folder, capsys):
    source = folder("b.png", "d.png")
    for link in ("a.png", "c.png"):
        (source / link).symlink_to("b.png")
    (source / "hard.png").hardlink_to(source / "d.png")
    assert embed(source, source, "--overwrite") == 0
    said = capsys.readouterr().out
    assert said.count("a link to another of the pictures; left as it is") == 2
    assert "3 of 5 pictures marked, provider 7, random content IDs; 2 left as they are" in said
    assert (source / "a.png").is_symlink()
    assert not (source / "hard.png").samefile(source / "d.png")  # a picture of its own, with an ID of its own
    assert main(["detect", str(source), "--scheme", "dwt_dct"]) == 0


def test_a_link_to_a_picture_elsewhere_is_never_written_through(folder, capsys):
    source = folder("b.png")
    victim = source.parent / "victim.png"
    (source / "b.png").rename(victim)
    (source / "a.png").symlink_to(victim)
    before = victim.read_bytes()
    assert embed(source, source, "--overwrite") == 2
    assert "is a symbolic link" in capsys.readouterr().err
    assert victim.read_bytes() == before


def test_a_link_into_the_target_folder_makes_its_file_an_input(folder, capsys):
    source = folder("a.png", "../out/a.png")
    (source / "b.png").symlink_to(source.parent / "out" / "a.png")
    before = hashes(source.parent / "out")
    assert embed(source, source.parent / "out", "--overwrite") == 2
    assert "would be written over" in capsys.readouterr().err
    assert hashes(source.parent / "out") == before


def test_a_linked_target_folder_is_the_folder_itself_and_a_second_run_marks_nothing_again(folder, capsys):
    source = folder("a.png")
    (source.parent / "link").symlink_to(source)
    assert embed(source, source.parent / "link") == 2
    assert "exists already" in capsys.readouterr().err
    assert embed(source, source.parent / "link", "--overwrite") == 0
    once = hashes(source)
    assert embed(source, source.parent / "link", "--overwrite") == 0
    assert "is marked with this key already" in capsys.readouterr().out
    assert hashes(source) == once


def test_a_folder_below_its_target_is_marked_and_nothing_to_mark_is_an_error(folder, capsys):
    source = folder("a.png")
    assert embed(source, source.parent) == 0
    assert "1 of 1 pictures marked" in capsys.readouterr().out
    assert (source.parent / "a.png").exists()
    (source / "out").mkdir()
    (source / "a.png").rename(source / "out" / "a.png")
    assert embed(source, source / "out", "--content", "1") == 2
    assert "no pictures in this folder but those in" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["attacks", "show", "a.png", "--suite", "smoke", "--output", "a.png", "--overwrite"],
        ["attacks", "show", "a.png", "--suite", "smoke", "--output", "b.png"],
        ["locate", "a.png", "--output", "a.png", "--overwrite"],
        ["locate", ".", "--output", ".", "--overwrite"],
        ["locate", "a.png", "A.jpg", "--output", "maps"],
        ["torture", "page.html", "--output", "page.html", "--overwrite"],
    ],
)
def test_no_other_output_replaces_a_picture(folder, capsys, monkeypatch, words):
    source = folder("a.png", "b.png", "A.jpg")
    (source / "page.html").write_bytes((source / "a.png").read_bytes())
    monkeypatch.chdir(source)
    before = hashes(source)
    assert main(words) == 2
    assert [line[:10] for line in capsys.readouterr().err.splitlines() if "note: " not in line] == ["watermark:"]
    assert hashes(source) == before


def test_a_sheet_of_attacks_replaces_its_forerunner_only_when_told(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder("a.png"))
    shown = ["attacks", "show", "a.png", "--suite", "smoke", "--max-side", "32"]
    assert main(shown) == 0
    assert main(shown) == 2
    assert "say --overwrite" in capsys.readouterr().err
    assert main([*shown, "--overwrite"]) == 0


def test_one_name_twice_is_one_picture_and_hard_links_are_two(folder):
    source = folder("a.png")
    (source / "b.png").hardlink_to(source / "a.png")
    check_apart({path: source.parent / "out" / path.name for path in (source / "a.png", source / "b.png")})


def test_samples_of_two_images_never_share_a_folder(tmp_path):
    long = "/".join(["folder" * 20] * 4)
    images = ["a/b.png", "a_b.png", "A_b.png", f"{COMPOSED}.png", f"{DECOMPOSED}.png", long, f"{long}2", "..", "\udcff"]
    folders = [sample_folder(tmp_path, "dwt_dct", image) for image in images]
    assert len({path.name.casefold() for path in folders}) == len(images)
    for path in folders:
        path.mkdir(parents=True)
        assert path.parent == tmp_path / "samples" / "dwt_dct"
