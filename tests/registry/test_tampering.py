import shutil
import sqlite3

import pytest
from registry_fakes import make_record, make_slot

from watermark.errors import UserError
from watermark.registry import Block, Registry
from watermark.registry.ledger import chain_hash

TRIGGERS = ("records_never_deleted", "records_never_changed", "records_follow_the_last")


@pytest.fixture
def filled(registry):
    """Record 1 is the slot, 2 to 6 are issued images."""
    ids = registry.content_ids(registry.reserve(7, 5))
    registry.record([make_record(number) for number in ids])
    assert registry.verify().ok
    return registry


def tamper(tmp_path, *statements, triggers=TRIGGERS):
    with sqlite3.connect(tmp_path / "registry.db") as connection:
        for trigger in triggers:
            connection.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "UPDATE records SET body = replace(body, 'test-', 'best-') WHERE sequence = 3",
            "record 3: was altered: its body",
        ),
        ("UPDATE records SET content_id = '5' WHERE sequence = 4", "record 4: was altered"),
        ("UPDATE records SET retain_until = '2000-01-01T00:00:00Z' WHERE sequence = 4", "record 4: was altered"),
        ("UPDATE records SET created_at = '2000-01-01T00:00:00Z' WHERE sequence = 1", "record 1: was altered"),
        ("DELETE FROM records WHERE sequence = 4", "record 5: follows record 3"),
        ("DELETE FROM records WHERE sequence = 1", "record 2: follows record 0"),
        ("DELETE FROM records WHERE sequence = 6", "head: says 6 records, the chain ends at record 5"),
        ("DELETE FROM records", "head: says 6 records, the chain ends at record 0"),
        ("UPDATE records SET body = NULL WHERE sequence = 5", "record 5: its body is missing"),
        ("UPDATE counters SET next_index = 2", "lies beyond the counter"),
        ("UPDATE records SET body = 'no json', kind = 'purge' WHERE sequence = 4", "record 4: was altered"),
        ("UPDATE records SET body = 'no json' WHERE sequence = 1", "record 1: was altered: its body"),
    ],
)
def test_every_kind_of_tampering_is_named(filled, tmp_path, statement, words):
    filled.close()
    tamper(tmp_path, statement)
    for key in (b"registry key", None):  # a fresh process, with the key and without
        if words.startswith("lies beyond") and key is None:
            continue  # counters are checked with the key
        assert words in "\n".join(Registry(tmp_path / "registry.db", key).verify().problems)


def test_exchanged_records_are_found(filled, tmp_path):
    case = "CASE sequence WHEN {a} THEN 99 WHEN {b} THEN {a} ELSE {b} END"
    swap = f"UPDATE records SET sequence = {case} WHERE sequence = {{n}}"
    tamper(tmp_path, *(swap.format(a=3, b=5, n=n) for n in (3, 5, 99)))
    assert len(filled.verify().problems) >= 4  # both records, and the ones that follow them


def test_a_chain_forged_consistently_fails_at_the_keyed_head(filled, tmp_path):
    """Somebody without the key rewrites a record and recomputes every hash, head included."""
    database = sqlite3.connect(tmp_path / "registry.db")
    database.row_factory = sqlite3.Row
    rows = [dict(row) for row in database.execute("SELECT * FROM records WHERE sequence < 6 ORDER BY sequence")]
    rows[2]["content_id"], last = "123", "0" * 64
    for row in rows:
        row["previous"] = last
        last = row["hash"] = chain_hash(row)
    database.close()
    changes = [
        f"UPDATE records SET previous='{r['previous']}', hash='{r['hash']}', content_id='{r['content_id']}' "
        f"WHERE sequence={r['sequence']}"
        for r in rows
        if r["sequence"] >= 3
    ]
    head = f"UPDATE head SET record_count = 5, hash = '{last}'"
    tamper(tmp_path, *changes, "DELETE FROM records WHERE sequence = 6", head)
    assert Registry(tmp_path / "registry.db").verify().ok  # without the key it looks whole ...
    assert "head: its tag was not made with the registry's key" in filled.verify().problems  # ... with it, it does not
    with pytest.raises(UserError, match="head was not written with this key"):
        filled.record([make_record(99)])


def test_a_database_set_back_to_an_older_copy_is_found_against_an_anchor(filled, tmp_path):
    older = tmp_path / "older.db"
    filled.close()
    shutil.copy(tmp_path / "registry.db", older)
    filled.record([make_record(filled.allocate(7))])
    after = filled.verify()
    back = Registry(older, b"registry key")
    assert back.verify().ok  # nothing inside the copy can tell
    assert "record 7: missing" in back.verify(anchors=[(after.count, after.hash)]).problems[0]
    assert filled.verify(anchors=[(after.count, after.hash)]).ok


def test_a_purge_record_written_early_does_not_excuse_an_empty_body(filled, tmp_path, clock):
    clock.forward(days=400)
    tamper(tmp_path, triggers=("records_never_changed",))  # the database's own clock would refuse
    assert filled.purge([3]) == 1
    assert filled.verify().ok
    tamper(tmp_path, "UPDATE records SET body = NULL WHERE sequence = 4", triggers=())
    assert filled.verify().problems == ["record 4: its body is missing and no purge record names it"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE records SET body = 'x' WHERE sequence = 3",
        "UPDATE records SET body = NULL WHERE sequence = 3",  # its retention is not over
        "UPDATE records SET hash = 'x' WHERE sequence = 3",
        "DELETE FROM records WHERE sequence = 6",
        "INSERT OR REPLACE INTO records SELECT * FROM records WHERE sequence = 3",
        "INSERT INTO records SELECT 9, kind, slot, 1, created_at, retain_until, body, body_sha256, previous, hash "
        "FROM records WHERE sequence = 3",
    ],
)
def test_the_database_itself_refuses_changes_from_any_program(filled, tmp_path, statement):
    database = sqlite3.connect(tmp_path / "registry.db")
    with pytest.raises(sqlite3.IntegrityError, match=r"append-only|follow the last"):
        database.execute(statement)
    database.close()
    assert filled.verify().ok


def test_the_database_refuses_an_early_purge_even_when_the_program_clock_is_wrong(filled, clock):
    clock.forward(days=400)
    with pytest.raises(UserError, match="after retain_until; nothing was changed"):
        filled.purge()
    assert filled.verify().ok


def test_a_second_slot_definition_cannot_be_slipped_in(filled):
    with pytest.raises(UserError, match="taken"):
        filled.add_slot(make_slot(7))


def test_a_registry_without_its_head_is_not_opened(filled, tmp_path):
    filled.close()
    tamper(tmp_path, "DELETE FROM head")
    for key in (b"registry key", None):
        with pytest.raises(UserError, match="lost its head"):
            Registry(tmp_path / "registry.db", key)


def test_an_altered_record_is_never_handed_out(filled, tmp_path):
    number = filled.content_ids(Block(7, 1, 2))[0]
    assert filled.find(7, number) is not None
    tamper(tmp_path, "UPDATE records SET body = replace(body, 'test', 'best') WHERE sequence = 3")
    with pytest.raises(UserError, match="record 3 was altered"):
        filled.find(7, number)
