import sys
from datetime import timedelta

import pytest
from registry_fakes import FAKE_CODE, make_record, make_slot

from watermark.errors import UserError
from watermark.registry import Registry


def test_a_recorded_image_is_found_with_everything_that_was_recorded(registry):
    content_id = registry.allocate(7)
    (stored,) = registry.record([make_record(content_id, recipient_reference="r", explicit_label=False)])
    found = registry.find(7, content_id)
    assert found.record == stored
    assert found.record.explicit_label is False
    assert found.retain_until > stored.created_at
    assert registry.find(7, content_id + 1) is None
    assert registry.find(8, content_id) is None


def test_ids_never_repeat_and_blocks_continue_the_same_numbers(registry):
    ids = [registry.allocate(7) for _ in range(20)]
    ids += registry.content_ids(registry.reserve(7, 30))
    ids += [registry.allocate(7) for _ in range(20)]
    assert len(set(ids)) == 70


def test_a_small_field_is_used_to_the_last_number_and_then_refused(registry):
    registry.add_slot(make_slot(8, bits=4))
    assert sorted(registry.allocate(8) for _ in range(16)) == list(range(16))
    with pytest.raises(UserError, match="0 content IDs left"):
        registry.allocate(8)


def test_an_id_is_recorded_once_and_a_failed_batch_leaves_nothing(registry):
    first, second = registry.allocate(7), registry.allocate(7)
    registry.record([make_record(first)])
    with pytest.raises(UserError, match="already recorded; nothing was recorded"):
        registry.record([make_record(second), make_record(first)])
    assert registry.find(7, second) is None
    assert registry.verify().ok


def test_a_taken_slot_is_refused_so_that_a_new_key_takes_a_new_slot(registry):
    with pytest.raises(UserError, match="slot 7 is taken"):
        registry.add_slot(make_slot(7))
    assert registry.slot(7) == make_slot(7)
    assert registry.slot(9) is None


def test_a_slot_that_another_process_took_just_now_is_said_the_same(registry, monkeypatch):
    monkeypatch.setattr(Registry, "_slot", lambda *_: None)  # it was free when this one looked
    with pytest.raises(UserError, match="slot 7 is taken"):
        registry.add_slot(make_slot())
    monkeypatch.undo()
    assert registry.verify().count == 1


@pytest.mark.parametrize("code", ["ACME", FAKE_CODE[:-1], FAKE_CODE.lower()[:-1] + "a", "11" + FAKE_CODE[2:]])
def test_a_slot_with_a_malformed_provider_code_is_refused(registry, code):
    with pytest.raises(UserError, match="27 characters"):
        registry.add_slot(make_slot(9).__class__(9, code, "key-1", "tile_spread", "1", "l64", 40))


def test_release_without_a_visible_label_needs_a_recipient(registry):
    with pytest.raises(UserError, match=r"Art\. 9"):
        registry.record([make_record(3, explicit_label=False)])


def test_propagators_and_withdrawal_are_added_without_changing_the_record(registry):
    content_id = registry.allocate(7)
    registry.record([make_record(content_id)])
    registry.add_propagator(7, content_id, "platform-a", "p1")
    registry.add_propagator(7, content_id, "platform-b", "p2")
    registry.withdraw(7, content_id, "the file could not be written")
    found = registry.find(7, content_id)
    assert [one["propagator"] for one in found.propagators] == ["platform-a", "platform-b"]
    assert found.withdrawn == "the file could not be written"
    assert registry.verify().ok
    with pytest.raises(UserError, match="not recorded"):
        registry.add_propagator(7, content_id + 1, "platform-a", "p1")


def test_a_reader_without_the_key_finds_and_verifies_but_cannot_write(registry, tmp_path):
    content_id = registry.allocate(7)
    registry.record([make_record(content_id)])
    reader = Registry(tmp_path / "registry.db")
    assert reader.find(7, content_id).record.produce_id == f"test-{content_id}"
    assert reader.verify().ok
    assert not reader.verify().head_checked
    for write in (lambda: reader.record([make_record(5)]), lambda: reader.allocate(7), reader.purge):
        with pytest.raises(UserError, match="without its key"):
            write()


def test_a_wrong_key_and_a_missing_registry_are_said_in_one_line(registry, tmp_path):
    with pytest.raises(UserError, match=r"made with another key; `watermark key new FILE --rotate OLD`"):
        Registry(tmp_path / "registry.db", b"another")
    with pytest.raises(UserError, match="no registry at"):
        Registry(tmp_path / "missing.db")
    assert not (tmp_path / "missing.db").exists()


def test_a_recipient_is_recorded_only_as_a_keyed_hash(registry, tmp_path):
    reference = registry.recipient_reference("person@example.org")
    assert reference == registry.recipient_reference("person@example.org")
    assert "person" not in reference
    other = Registry(tmp_path / "other.db", b"another key")
    assert other.recipient_reference("person@example.org") != reference


def test_records_are_purged_after_their_retention_and_not_before(registry, clock):
    content_id = registry.allocate(7)
    clock.forward(days=-400)
    registry.record([make_record(content_id)])
    clock.forward(days=183)
    assert registry.purge() == 0
    with pytest.raises(UserError, match="record 2 must be kept until"):
        registry.purge([2])
    clock.forward(days=2)
    assert registry.purge() == 1
    assert registry.find(7, content_id).record is None
    result = registry.verify()
    assert result.ok
    assert result.purged == 1
    with pytest.raises(UserError, match="purged already"):
        registry.purge([2])
    with pytest.raises(UserError, match="must be kept for ever"):
        registry.purge([1])


def test_a_retention_under_six_months_is_refused(registry):
    with pytest.raises(UserError, match="at least 184 days"):
        registry.record([make_record(5)], keep=timedelta(days=180))


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to look like something" * 20])
def test_a_file_that_is_no_registry_is_said_in_one_line(tmp_path, content):
    (tmp_path / "other.db").write_bytes(content)
    with pytest.raises(UserError, match=r"no registry at|not a database"):
        Registry(tmp_path / "other.db")


@pytest.mark.parametrize("scheme", ["sqlite", "nonsense", "postgresql+nodriver", "oracle"])
def test_a_bad_database_address_is_said_without_its_password(scheme):
    with pytest.raises(UserError, match="expected a file path or the URL") as refusal:
        Registry(f"{scheme}://person:word@host/name", b"key")
    assert "word" not in str(refusal.value)


def test_a_missing_driver_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pg8000", None)
    with pytest.raises(UserError, match=r"pip install 'robust-watermark\[postgresql\]'") as refusal:
        Registry("postgresql+pg8000://person:word@host/name", b"key")
    assert "word" not in str(refusal.value)
