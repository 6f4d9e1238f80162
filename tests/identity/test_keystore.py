import json
import logging
import os
import stat

import pytest

from watermark.cli import main
from watermark.errors import UserError
from watermark.keystore import KeyFile, load_key


def test_a_key_file_is_readable_by_its_owner_only_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        KeyFile.new().save(tmp_path / "key.json")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key.json").stat().st_mode) == 0o600


def test_what_was_saved_is_loaded_and_two_keys_differ(tmp_path):
    key = KeyFile.new()
    key.save(tmp_path / "key.json")
    assert KeyFile.load(tmp_path / "key.json") == key
    assert load_key(tmp_path / "key.json") == key.mark_key
    assert KeyFile.new().mark_key != key.mark_key
    assert len(key.mark_key) == len(key.registry_key) == 32


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601])
def test_a_loose_permission_is_refused_with_the_command_that_repairs_it(tmp_path, mode):
    path = tmp_path / "key.json"
    KeyFile.new().save(path)
    path.chmod(mode)
    with pytest.raises(UserError, match=f"mode {mode:03o}.*chmod 600"):
        KeyFile.load(path)


@pytest.mark.parametrize("content", [b"\xff\xd8\xff\xe0 a photograph", b"\xff\xd8" * 5000], ids=["small", "large"])
def test_a_photograph_that_others_may_read_is_called_no_key_and_not_made_private(tmp_path, content):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    path.chmod(0o644)
    with pytest.raises(UserError, match=r"photo.jpg: not a key file; `watermark key new FILE` makes one$"):
        KeyFile.load(path)


def test_a_key_is_never_overwritten(tmp_path):
    KeyFile.new().save(tmp_path / "key.json")
    with pytest.raises(UserError, match="never overwritten"):
        KeyFile.new().save(tmp_path / "key.json")


def test_the_secret_is_in_no_text_that_a_key_turns_into(tmp_path, capsys, caplog):
    path = tmp_path / "key.json"
    with caplog.at_level(logging.DEBUG):
        assert main(["key", "new", str(path)]) == 0
        assert main(["key", "show", str(path)]) == 0
    key = KeyFile.load(path)
    seen = "".join([*capsys.readouterr(), caplog.text, repr(key), str(key), f"{[key]}"])
    for secret in (key.mark_key, key.registry_key):
        assert secret.hex() not in seen
        assert repr(secret) not in seen
    assert key.key_id in seen


NO_KEYS = {
    "nothing": "",
    "no fields": "{}",
    "a list": "[]",
    "too few fields": '{"format": "robust-watermark key 1"}',
    "no JSON": "SECRET",
    "no text": "\udcff",
    "nested": "[" * 100_000 + "]" * 100_000,
    "nested a little": "[" * 2000 + "]" * 2000,
    "very long": '{"format": "' + "x" * 1_000_000,
    "a number of 4000 digits": '{"format": ' + "9" * 4000 + "}",
}


@pytest.mark.parametrize("damage", NO_KEYS.values(), ids=NO_KEYS)
def test_a_file_that_is_no_key_is_refused_without_its_content(tmp_path, damage):
    path = tmp_path / "key.json"
    path.touch(0o600)
    path.write_bytes(damage.encode(errors="surrogateescape"))
    with pytest.raises(UserError, match=r"not a key file|larger than 4096") as refusal:
        KeyFile.load(path)
    assert "SECRET" not in str(refusal.value)
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


@pytest.mark.parametrize(
    "created_at", ["2026-01-01T00:00:00Z\nkey 0", "\x1b[2Jx", "2026-1-1T00:00:00Z", "", 5, None, ["x"], {"x": 1}]
)
def test_a_time_that_is_none_is_refused_so_that_nothing_strange_reaches_the_terminal(tmp_path, created_at, capsys):
    path = tmp_path / "key.json"
    KeyFile.new().save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "created_at": created_at}))
    assert main(["key", "show", str(path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "not a key file" in said.err
    assert said.err.count("\n") == 1
    assert "\x1b" not in said.err


def test_a_damaged_secret_is_noticed(tmp_path):
    path = tmp_path / "key.json"
    KeyFile.new().save(path)
    content = json.loads(path.read_text())
    content["mark_key"] = (
        "00" + content["mark_key"][2:] if content["mark_key"][:2] != "00" else "11" + content["mark_key"][2:]
    )
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="damaged"):
        KeyFile.load(path)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(UserError, match=r"no such file; make a key with: watermark key new .*none.json$"):
        KeyFile.load(tmp_path / "none.json")


def test_rotation_keeps_the_registry_and_changes_the_mark(tmp_path):
    old = KeyFile.new()
    new = KeyFile.new(rotate=old)
    assert new.registry_key == old.registry_key
    assert new.mark_key != old.mark_key
    assert new.key_id != old.key_id


def test_a_full_disk_leaves_no_half_key_that_could_never_be_overwritten(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(UserError, match=r"key\.json: cannot be written \(No space left on device\)"):
        KeyFile.new().save(tmp_path / "key.json")
    assert list(tmp_path.iterdir()) == []


def test_a_key_appears_whole_and_is_nobody_elses_on_the_way(tmp_path, monkeypatch):
    seen = []

    def look(handle, content):
        seen.extend((file.name, stat.S_IMODE(file.stat().st_mode)) for file in tmp_path.iterdir())
        return write(handle, content)

    write = os.write
    monkeypatch.setattr(os, "write", look)
    KeyFile.new().save(tmp_path / "key.json")
    assert [mode for name, mode in seen if name.startswith(".watermark-")] == [0o600]
    assert "key.json" not in [name for name, _ in seen]
