"""A registry that somebody else wrote: a chain without the key is easily made whole, so nothing in it is believed."""

import hashlib
import json
import sqlite3
import unicodedata

import pytest
from registry_fakes import FAKE_CODE, make_record
from test_tampering import TRIGGERS

from watermark.cli import main
from watermark.config import compose
from watermark.errors import UserError
from watermark.keystore import KeyFile
from watermark.registry import Registry, Slot
from watermark.registry.ledger import CHAINED, chain_hash


@pytest.fixture
def stranger(tmp_path):
    """A folder with our key file and a registry that holds one slot and one issue, closed."""
    key = KeyFile.new()
    key.save(tmp_path / "key.json")
    registry = Registry(tmp_path / "registry.db", key.registry_key)
    registry.add_slot(Slot(7, FAKE_CODE, key.key_id, "dwt_dct", "1", "l64", 40))
    (number,) = registry.content_ids(registry.reserve(7, 1))
    registry.record([make_record(number)])
    registry.close()
    return tmp_path


def rewrite(folder, sequence, **columns):
    """Change a record and make the chain whole again from there on, as anybody can without the key."""
    with sqlite3.connect(folder / "registry.db") as connection:
        connection.row_factory = sqlite3.Row
        for trigger in TRIGGERS:
            connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        previous = None
        for found in connection.execute("SELECT * FROM records ORDER BY sequence").fetchall():
            row = dict(found) | ({"previous": previous} if previous else {})
            if row["sequence"] == sequence:
                row |= columns
                if isinstance(row["body"], str):
                    row["body_sha256"] = hashlib.sha256(row["body"].encode()).hexdigest()
            previous = row["hash"] = columns.get("hash") or chain_hash({name: row[name] for name in CHAINED})
            names = [name for name in row if name != "sequence"]
            sets = ", ".join(f"{name} = ?" for name in names)
            values = [*(row[name] for name in names), row["sequence"]]
            connection.execute(f"UPDATE records SET {sets} WHERE sequence = ?", values)
        connection.execute("UPDATE head SET hash = ?", (previous,))
    connection.close()


def body_of(folder, sequence):
    with sqlite3.connect(folder / "registry.db") as connection:
        (body,) = connection.execute("SELECT body FROM records WHERE sequence = ?", (sequence,)).fetchone()
    connection.close()
    return json.loads(body)


def where(folder):
    return ["--registry", str(folder / "registry.db")]


@pytest.mark.parametrize("field", ["algorithm", "layout"])
@pytest.mark.parametrize("path", ["{evil}", "../../../../../../../../../../..{evil}", "./{evil}"])
def test_a_slot_cannot_name_a_configuration_file_elsewhere(stranger, field, path, capsys, tmp_path):
    evil, touched = tmp_path / "evil.yaml", tmp_path / "touched"
    evil.write_text(f"_target_: pathlib.Path.touch\nself: {{_target_: pathlib.Path, arg: {touched}}}\n")
    rewrite(stranger, 1, body=json.dumps(body_of(stranger, 1) | {field: path.format(evil=evil.with_suffix(""))}))
    (tmp_path / "a.png").write_bytes(b"no picture")
    assert main(["trace", str(tmp_path / "a.png"), *where(stranger), "--key-file", str(tmp_path / "key.json")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"no {field.replace('algorithm', 'scheme')} named" in said
    assert not touched.exists()


@pytest.mark.parametrize("name", ["/etc/passwd", "../scheme/dwt_dct", "a/b", "..", "", "a\0b", "x" * 10_000, 7, None])
def test_a_name_is_never_a_path(name):
    with pytest.raises(ValueError, match="no layout named") as raised:
        compose("layout", name)
    assert len(str(raised.value)) < 500


SLOTS = [
    "[]", "7", "null", "{", "[" * 100_000, '"x"', "{}", '{"slot": 7}',
    {"slot": "7"}, {"content_bits": "40"}, {"content_bits": True}, {"algorithm": None}, {"algorithm": ["dwt_dct"]},
    {"key_id": 5}, {"more": 1},
]  # fmt: skip


@pytest.mark.parametrize("body", SLOTS, ids=lambda body: str(body)[:20])
def test_a_slot_of_another_shape_is_one_line(stranger, body, capsys):
    rewrite(stranger, 1, body=body if isinstance(body, str) else json.dumps(body_of(stranger, 1) | body))
    key = ["--key-file", str(stranger / "key.json")]
    for verb in (["registry", "slots"], ["trace", str(stranger / "a.png"), *key]):
        assert main([*verb, *where(stranger)]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert "record 1 is not of the shape that a registry writes" in said


@pytest.mark.parametrize(
    "change",
    [
        {"content_id": "7"},
        {"thumbnail": 7},
        {"perceptual_hash": None},
        {"content_producer": ["x"]},
        {"label": 1},
        {"a": 0},
    ],
    ids=str,
)
def test_a_record_of_another_shape_is_one_line(stranger, change, capsys):
    body = body_of(stranger, 2)
    rewrite(stranger, 2, body=json.dumps(body | change))
    assert main(["registry", "show", "7", str(body["content_id"]), *where(stranger)]) == 2
    assert "record 2 is not of the shape" in capsys.readouterr().err


@pytest.mark.parametrize(
    "columns",
    [
        {"kind": "purge", "body": "{}"},
        {"kind": "purge", "body": '{"purged": [1]}'},
        {"kind": "purge", "body": '{"purged": {"x": 1}}'},
        {"kind": "purge", "body": "[" * 100_000},
        {"content_id": "x"},
        {"content_id": "9" * 5000},
        {"content_id": None},
        {"slot": "seven"},
        {"body": b"bytes"},
        {"content_id": b"1", "hash": "0" * 64},
        {"created_at": b"\xff", "hash": "0" * 64},
    ],
    ids=lambda columns: str(columns)[:40],
)
@pytest.mark.parametrize("with_key", [True, False])
def test_verify_names_what_no_registry_writes(stranger, columns, with_key, capsys):
    rewrite(stranger, 2, **columns)
    key = ["--key-file", str(stranger / "key.json")] if with_key else []
    status = main(["registry", "verify", *where(stranger), *key])
    told = capsys.readouterr()
    assert "unexpected" not in told.err
    assert status == 1 or (status == 0 and not with_key)  # what only the key can tell
    assert not with_key or "record 2" in told.out or "head: its tag" in told.out


@pytest.mark.parametrize("tag", [b"\xff", "\u00e9", 7, ""])
def test_a_tag_of_another_kind_is_a_wrong_tag(stranger, tag, capsys):
    with sqlite3.connect(stranger / "registry.db") as connection:
        connection.execute("UPDATE head SET tag = ?", (tag,))
    connection.close()
    key = ["--key-file", str(stranger / "key.json")]
    assert main(["registry", "verify", *where(stranger), *key]) == 1
    assert "its tag was not made with the registry's key" in capsys.readouterr().out
    assert main(["registry", "reserve", "7", "1", *where(stranger), *key]) == 0  # takes no record
    words = ["registry", "add-slot", "8", "--code", FAKE_CODE]
    assert main([*words, *where(stranger), *key]) == 2
    assert "was not written with this key" in capsys.readouterr().err


def test_a_view_in_place_of_a_table_is_not_asked(stranger):
    with sqlite3.connect(stranger / "registry.db") as connection:
        for trigger in TRIGGERS:
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute("ALTER TABLE records RENAME TO theirs")
        endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
        connection.execute(f"CREATE VIEW records AS SELECT theirs.* FROM theirs, ({endless})")
    connection.close()
    with pytest.raises(UserError, match="is no table"):
        Registry(stranger / "registry.db")


@pytest.mark.parametrize("beside", ["-wal", "-shm", "-journal", "-queue"])
def test_nothing_is_written_through_a_link_beside_the_database(stranger, tmp_path, capsys, beside):
    victim = tmp_path / "victim"
    victim.write_bytes(b"a letter that is mine" * 1000)
    (stranger / f"registry.db{beside}").unlink(missing_ok=True)
    (stranger / f"registry.db{beside}").symlink_to(victim)
    words = ["registry", "reserve", "7", "1", *where(stranger), "--key-file", str(stranger / "key.json")]
    assert main(words) == 2
    assert "symbolic link" in capsys.readouterr().err
    assert victim.read_bytes() == b"a letter that is mine" * 1000


HOSTILE = "\x1b]0;owned\x07\n  match\u202e\u009b31m\u200b"


def test_no_field_of_a_registry_drives_the_terminal(stranger, capsys):
    slot, issue = body_of(stranger, 1), body_of(stranger, 2)
    rewrite(stranger, 1, body=json.dumps(slot | dict.fromkeys(("content_producer", "algorithm", "layout"), HOSTILE)))
    rewrite(stranger, 2, body=json.dumps(issue | dict.fromkeys(("content_producer", "produce_id"), HOSTILE)))
    with sqlite3.connect(stranger / "registry.db") as connection:
        connection.execute("UPDATE records SET retain_until = ?, hash = ? WHERE sequence = 2", (HOSTILE, HOSTILE))
        connection.execute("UPDATE head SET hash = ?, registry_id = ?", (HOSTILE, HOSTILE))
    connection.close()
    key = ["--key-file", str(stranger / "key.json")]
    for words in (
        ["registry", "slots"],
        ["registry", "verify"],
        ["registry", "show", "7", str(issue["content_id"])],
        ["registry", "soft-binding", "7", str(issue["content_id"]), "--owner", "org.example"],
        ["trace", str(stranger / "a.png"), *key],
    ):
        main([*words, *where(stranger)])
        told = "".join(capsys.readouterr())
        assert told
        assert [c for c in told if unicodedata.category(c) in {"Cc", "Cf", "Co", "Cs"} and c != "\n"] == []
        assert not any(line.startswith("  match") for line in told.splitlines())
