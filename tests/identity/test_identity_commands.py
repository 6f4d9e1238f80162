import json

import numpy as np
import pytest
from identity_fakes import FAKE_CODE
from PIL import Image

from watermark import files
from watermark.cli import main
from watermark.keystore import load_key
from watermark.labels import add_visible_label
from watermark.watermarker import Watermarker

pytestmark = pytest.mark.slow  # real marks: some seconds each


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with a key, a registry with slot 7, and one issued picture."""
    folder = tmp_path_factory.mktemp("desk")
    rng = np.random.default_rng(3)
    texture = rng.normal(0, 14, (384, 512, 3)) + np.asarray(
        Image.fromarray(rng.integers(40, 210, (12, 16, 3), dtype=np.uint8)).resize((512, 384), Image.Resampling.BICUBIC)
    )
    Image.fromarray(texture.clip(0, 255).astype(np.uint8)).save(folder / "in.png")
    assert main(["key", "new", str(folder / "key.json")]) == 0
    assert main(["registry", "add-slot", "7", "--code", FAKE_CODE, *options(folder)]) == 0
    words = ["issue", str(folder / "in.png"), str(folder / "out.jpg"), "--provider", "7", "--quality", "90"]
    assert main([*words, *options(folder)]) == 0
    return folder


def options(folder):
    return ["--registry", str(folder / "registry.db"), "--key-file", str(folder / "key.json")]


def test_what_was_issued_is_traced_and_the_registry_is_whole(desk, capsys):
    assert main(["trace", str(desk / "out.jpg"), "--json", *options(desk)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["watermark"]["state"] == "match"
    assert report["metadata"]["agrees_with_record"] is True
    assert report["watermark"]["registry"]["record"]["explicit_label"] is True
    assert main(["registry", "verify", *options(desk)]) == 0
    assert "whole (head checked with the key)" in capsys.readouterr().out
    assert main(["registry", "verify", "--registry", str(desk / "registry.db")]) == 0
    said = capsys.readouterr().out
    assert "no fault found (head not checked: give --key-file, or --anchor)" in said
    anchor = said.partition("\nanchor ")[2].partition(" ")[0]
    assert main(["registry", "verify", "--registry", str(desk / "registry.db"), "--anchor", anchor]) == 0
    assert "whole (held against the anchor" in capsys.readouterr().out


def test_a_folder_to_issue_is_refused_in_words(desk, capsys):
    assert main(["issue", str(desk), str(desk / "many"), "--provider", "7", *options(desk)]) == 2
    assert "expected one picture, got a folder; watermark pipeline embed issues" in capsys.readouterr().err


def test_a_source_without_a_mark_is_answered_and_the_exit_status_says_so(desk, capsys):
    assert main(["trace", str(desk / "in.png"), *options(desk)]) == 1
    assert "no-mark" in capsys.readouterr().out


def test_a_visible_label_drawn_before_or_after_does_not_break_the_mark(desk):
    image = files.load(desk / "in.png")
    marker = Watermarker.load("tile_spread", key=load_key(desk / "key.json"))
    for marked in (
        marker.embed(add_visible_label(image), 7, 5),
        add_visible_label(marker.embed(image, 7, 5)),
        add_visible_label(marker.embed(image, 7, 5), height=0.2),
    ):
        found = marker.detect(marked)
        assert (found.is_marked, found.provider_id, found.content_id) == (True, 7, 5)


def test_a_loose_key_file_is_refused_by_every_verb_in_one_line(desk, capsys):
    loose = desk / "loose.json"
    loose.write_bytes((desk / "key.json").read_bytes())
    loose.chmod(0o644)
    words = ["--registry", str(desk / "registry.db"), "--key-file", str(loose)]
    capsys.readouterr()
    assert main(["trace", str(desk / "out.jpg"), *words]) == 2
    assert main(["issue", str(desk / "in.png"), str(desk / "x.png"), "--provider", "7", *words]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert all("others may read this key (mode 644); run: chmod 600" in line for line in said)
    secret = json.loads(loose.read_text())["mark_key"]
    assert not any(secret in line for line in said)


def test_after_a_rotation_old_and_new_marks_are_traced_with_both_keys(desk, capsys):
    new = desk / "new.json"
    assert main(["key", "new", str(new), "--rotate", str(desk / "key.json")]) == 0
    database = ["--registry", str(desk / "registry.db")]
    code = ["--code", FAKE_CODE]
    assert main(["registry", "add-slot", "7", *code, *database, "--key-file", str(new)]) == 2  # taken
    assert main(["registry", "add-slot", "8", *code, *database, "--key-file", str(new)]) == 0
    issue = ["issue", str(desk / "in.png"), str(desk / "rotated.png"), *database, "--key-file", str(new)]
    assert main([*issue, "--provider", "7"]) == 2
    assert "a new key takes a new slot" in capsys.readouterr().err
    assert main([*issue, "--provider", "8", "--visible", "elsewhere"]) == 0
    keys = ["--key-file", str(desk / "key.json"), "--key-file", str(new)]
    for name, slot in (("out.jpg", 7), ("rotated.png", 8)):
        capsys.readouterr()
        assert main(["trace", str(desk / name), *database, *keys]) == 0
        assert f"provider {slot}," in capsys.readouterr().out


def test_a_soft_binding_for_an_issued_picture_is_printed(desk, capsys):
    main(["trace", str(desk / "out.jpg"), "--json", *options(desk)])
    content_id = json.loads(capsys.readouterr().out)["watermark"]["content_id"]
    words = ["registry", "soft-binding", "7", str(content_id), "--owner", "org.example"]
    assert main([*words, "--registry", str(desk / "registry.db")]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["label"] == "c2pa.soft-binding"
    assert printed["data"]["alg"] == "org.example.tile_spread.3"
