import pytest
from registry_fakes import make_record
from test_tampering import tamper

from watermark.cli import main
from watermark.errors import UserError
from watermark.keystore import KeyFile
from watermark.registry import Registry, checkpoint, verification


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Checkpoints are used from the first record on, and only two records before them are drawn."""
    monkeypatch.setattr(verification, "WALKED_ANYWAY", 1)
    monkeypatch.setattr(checkpoint, "DRAWN", 2)


@pytest.fixture
def verified(registry):
    """Record 1 is the slot, 2 to 61 are issued; the checkpoint lies at 41."""
    ids = registry.content_ids(registry.reserve(7, 60))
    registry.record([make_record(number) for number in ids[:40]])
    assert registry.verify().ok
    registry.record([make_record(number) for number in ids[40:]])
    return registry


def test_a_verification_starts_where_the_last_one_with_the_key_ended(verified, tmp_path):
    reader = Registry(tmp_path / "registry.db").verify()
    assert (reader.count, reader.spared, reader.ok) == (61, 0, True)  # without the key nothing is taken on trust
    second, third, full = verified.verify(), verified.verify(), verified.verify(full=True)
    assert [r.spared for r in (second, third, full)] == [41, 61, 0]
    assert {(r.count, r.hash, r.purged, r.ok) for r in (reader, second, third, full)} == {(61, reader.hash, 0, True)}


def test_a_small_registry_is_always_walked_whole(verified, monkeypatch):
    monkeypatch.setattr(verification, "WALKED_ANYWAY", 42)
    assert verified.verify().spared == 0


@pytest.mark.parametrize(
    ("statement", "words", "cheaply"),
    [
        ("UPDATE records SET content_id = '5' WHERE sequence = 50", "record 50: was altered", True),
        ("UPDATE records SET content_id = '5' WHERE sequence = 4", "record 4: was altered", False),
        ("UPDATE records SET body = replace(body, 'te', 'be') WHERE sequence < 42", "was altered: its body", True),
        ("DELETE FROM records WHERE sequence = 4", "missing", True),
        ("DELETE FROM records WHERE sequence = 1", "missing", True),
        ("UPDATE records SET body = NULL WHERE sequence = 4", "no purge record names", True),
        ("UPDATE records SET hash = 'x' WHERE sequence = 41", "record 41: its hash is not the one of", True),
        ("UPDATE counters SET next_index = 20", "record 61: its ID lies beyond the counter", True),
        ("UPDATE checkpoint SET sequence = 50", "checkpoint: its tag", True),
        ("UPDATE checkpoint SET used = 'no json'", "checkpoint: its tag", True),
        ("UPDATE checkpoint SET purged = 1", "checkpoint: its tag", True),
    ],
)
def test_tampering_before_a_checkpoint_is_found(verified, tmp_path, statement, words, cheaply):
    verified.close()
    tamper(tmp_path, statement)
    cheap = verified.verify()
    if cheaply:
        assert words in "\n".join(cheap.problems)
        assert verified.verify(full=True).problems or "checkpoint" in statement
    else:
        assert words in "\n".join(verified.verify(full=True).problems)


def test_a_verification_that_finds_something_leaves_no_checkpoint(verified, tmp_path):
    tamper(tmp_path, "UPDATE records SET content_id = '5' WHERE sequence = 50")
    assert not verified.verify().ok
    assert verified.verify().spared == 41


def test_a_checkpoint_of_another_branch_of_the_same_registry_is_noticed(verified, tmp_path):
    """Who sets the database back to an older copy and goes on cannot use the newer checkpoint."""
    anchor = verified.verify()
    assert verified.verify([(anchor.count, anchor.hash), (3, "0" * 64)]).problems == [
        "record 3: its hash is not the one of the anchor"
    ]


def test_records_before_the_checkpoint_are_purged_and_the_chain_is_whole(registry, clock):
    ids = registry.content_ids(registry.reserve(7, 20))
    clock.forward(days=-400)
    registry.record([make_record(number) for number in ids[:10]])
    clock.forward(days=400)
    registry.record([make_record(number) for number in ids[10:]])
    assert registry.verify().ok
    assert registry.purge([3, 5]) == 2
    assert registry.purge([7]) == 1
    for purged in (3, 3):  # from the checkpoint at 21, then from the one at 23
        result = registry.verify()
        assert (result.ok, result.purged) == (True, purged)
    assert registry.purge() == 7
    assert [registry.verify(full=full).purged for full in (False, True)] == [10, 10]


def test_the_command_says_what_it_did_not_walk(tmp_path, capsys, verified):
    key, path = KeyFile.new(), tmp_path / "key.json"
    key.save(path)
    mine = Registry(tmp_path / "mine.db", key.registry_key)
    mine.add_slot(verified.slot(7))
    options = ["--registry", str(tmp_path / "mine.db"), "--key-file", str(path)]
    assert main(["registry", "verify", *options]) == 0
    assert "checkpoint" not in capsys.readouterr().out
    assert main(["registry", "verify", *options]) == 0
    assert "1 to 1 lie before the checkpoint" in capsys.readouterr().out
    assert main(["registry", "verify", "--full", *options]) == 0
    assert "checkpoint" not in capsys.readouterr().out


def test_a_disk_that_takes_no_checkpoint_costs_the_answer_nothing(verified, monkeypatch, caplog):
    def full(*_):
        raise UserError("the registry's database refused: database or disk is full; nothing was changed")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", full)
        result = verified.verify()
    assert (result.ok, result.count, result.spared) == (True, 61, 41)
    assert "no checkpoint is kept" in caplog.text
    assert [verified.verify().spared for _ in range(2)] == [41, 61]
