"""Providers that share a synchronisation key: pictures are issued with it, and traced for all keys in one read."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from identity_fakes import FAKE_CODE
from PIL import Image
from skimage import data

from watermark.cli import main
from watermark.identity.markers import candidates_for
from watermark.keyring import Keyring
from watermark.keystore import KeyFile, load_key
from watermark.registry import Registry, Slot
from watermark.watermarker import Watermarker

SLOTS = {7: "a.key", 9: "b.key", 11: "c.key", 12: "c.key"}


@pytest.fixture(scope="module")
def consortium(tmp_path_factory):
    """Slots 7 and 9 with keys of their own, 11 and 12 with one together, a shared key, and a picture of slot 9."""
    folder = tmp_path_factory.mktemp("consortium")
    (folder / "keys").mkdir()
    shared, first = KeyFile.new(), KeyFile.new()
    shared.save(folder / "shared.key")
    keys = {name: KeyFile.new(first) for name in dict.fromkeys(SLOTS.values())}
    registry = Registry(folder / "registry.db", first.registry_key)
    for name, key in keys.items():
        key.save(folder / "keys" / name)
    for slot, name in SLOTS.items():
        registry.add_slot(Slot(slot, FAKE_CODE, keys[name].key_id, "dwt_dct", "1", "l64", 40))
    registry.close()
    Image.fromarray(data.coffee()).resize((320, 256), Image.Resampling.LANCZOS).save(folder / "in.png")
    words = ["issue", "in.png", "out.png", "--provider", "9", "--key-file", "keys/b.key"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main([*words, "--registry", "registry.db", "--sync-key-file", "shared.key"]) == 0
    return folder


@pytest.fixture
def here(consortium, monkeypatch):
    monkeypatch.chdir(consortium)


def trace(*said):
    return main(["trace", "out.png", "--json", "--registry", "registry.db", *said])


def test_a_folder_of_keys_and_the_shared_one_trace_what_was_issued(here, capsys):
    assert trace("--keyring", "keys", "--sync-key-file", "shared.key") == 0
    mark = json.loads(capsys.readouterr().out)["watermark"]
    assert (mark["state"], mark["provider_id"]) == ("match", 9)
    assert mark["key_and_scheme_pairs_tried"] == 3


def test_without_the_shared_key_nothing_is_found(here, capsys):
    assert trace("--keyring", "keys") == 1
    assert json.loads(capsys.readouterr().out)["watermark"]["state"] == "no-mark"


def test_single_keys_are_read_together_and_a_key_of_two_slots_alone(here):
    registry = Registry("registry.db", None, create=False)
    with closing(registry):
        held = [KeyFile.load(path) for path in sorted(Path("keys").iterdir())]
        together = candidates_for(registry, held, sync_key=load_key(Path("shared.key")), false_positive_rate=1e-6)
        apart = candidates_for(registry, held, false_positive_rate=1e-6)
    assert {type(one.finder): len(one.key_ids) for one in together} == {Watermarker: 1, Keyring: 2}
    assert [(type(one.finder), len(one.key_ids)) for one in apart] == 3 * [(Watermarker, 1)]


def test_the_service_asks_them_in_one_read_too(here):
    pytest.importorskip("pydantic")
    from watermark.service.examiner import Examiner

    keys = [str(path) for path in sorted(Path("keys").iterdir())]
    examiner = Examiner("registry.db", keys, Path("shared.key"), False, 1e-6, 1e-4)
    assert len(examiner.candidates) == 2
    answer = examiner.examine("trace", Path("out.png").read_bytes()).answer
    assert (answer["answer"], json.loads(answer["evidence"])["watermark"]["provider_id"]) == ("match", 9)


def test_no_key_is_one_line(here, capsys):
    assert trace() == 2
    assert capsys.readouterr().err.strip().endswith("--keyring FOLDER with key files in it")
