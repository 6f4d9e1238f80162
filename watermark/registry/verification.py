"""Walk the chain and name every record that was altered, removed, reordered, emptied early or cut off."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, select

from watermark.registry import checkpoint, ledger
from watermark.registry.checkpoint import Checkpoint
from watermark.registry.ledger import GENESIS
from watermark.registry.tables import counters, head, records

WALKED_ANYWAY = 10_000
"""A checkpoint that would spare less than this many records is not used."""
CounterOf = Callable[[int, int], int | None]


@dataclass
class Verification:
    """What a walk along the chain found.

    Attributes:
        count: records there are.
        purged: of those, emptied after their retention.
        hash: of the last record. Keep ``count`` and ``hash`` elsewhere: they are the anchor of the next verification.
        problems: one line each; empty means that nothing was found.
        head_checked: whether the keyed tag of the head could be checked (the key was given).
        spared: of the records, those before a checkpoint: drawn from and counted, not walked.
        used: slot -> highest counter value among its issued IDs and the record that has it; with the key only.
    """

    count: int = 0
    purged: int = 0
    hash: str = GENESIS
    problems: list[str] = field(default_factory=list)
    head_checked: bool = False
    spared: int = 0
    used: dict[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether no problem was found."""
        return not self.problems

    @property
    def reached(self) -> Checkpoint:
        """The checkpoint that this verification has earned, if it is ``ok`` and was done with the key."""
        return Checkpoint(self.count, self.hash, self.purged, self.used)


def verify(
    connection: Connection,
    key: bytes | None,
    anchors: Iterable[tuple[int, str]] = (),
    *,
    full: bool = False,
    counter_of: CounterOf | None = None,
) -> Verification:
    """Verify a registry.

    Args:
        connection: a reading transaction.
        key: the registry's key; without it a cut tail is only found against an anchor, and all records are walked.
        anchors: ``(count, hash)`` pairs kept elsewhere from earlier verifications. They also find a whole database
            set back to an older copy, which no content of that database can show.
        full: walk all records, also those before a checkpoint.
        counter_of: the counter value that an ID of a slot was made from, None where that cannot be said; needs the key.
    """
    result = Verification()
    start = None if key is None or full else _checkpoint(connection, key, result)
    if start is not None:
        result.count = result.spared = start.sequence
        result.hash, result.purged, result.used = start.hash, start.purged, dict(start.used)
        result.problems += checkpoint.look_before(connection, start)
    walk = _Walk(result, counter_of)
    query = select(records).where(records.c.sequence > result.spared).order_by(records.c.sequence)
    for row in connection.execute(query).yield_per(1000):
        walk.step(row)
    walk.judge_purges(connection)
    _check_anchors(connection, anchors, result)
    _check_head(connection, key, result)
    if counter_of is not None and result.ok:
        _check_counters(connection, result)
    return result


def _checkpoint(connection: Connection, key: bytes, result: Verification) -> Checkpoint | None:
    registry_id = connection.execute(select(head.c.registry_id)).scalar_one_or_none()
    start = None if registry_id is None else checkpoint.load(connection, key, registry_id, result.problems)
    return start if start is not None and start.sequence >= WALKED_ANYWAY else None


class _Walk:
    """Along the chain, record by record; what is found goes into ``result``."""

    def __init__(self, result: Verification, counter_of: CounterOf | None) -> None:
        self.result, self.counter_of = result, counter_of
        self.emptied: dict[int, tuple[str, str]] = {}  # sequence -> retain_until, body_sha256
        self.allowed: dict[int, tuple[str, str]] = {}  # sequence -> when its purge was recorded, body_sha256

    def step(self, row: Row[Any]) -> None:
        problems = ledger.alterations(row)
        if row.sequence != self.result.count + 1:
            problems.append(f"follows record {self.result.count}: records are missing or reordered")
        if row.previous != self.result.hash:
            problems.append("does not hold the hash of the record before it")
        if row.body is None:
            self._note_empty(row)
        if not problems:
            try:
                self._note_meaning(row)
            except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
                problems.append("is not of the shape that a registry writes")
        self.result.problems += [f"record {row.sequence}: {text}" for text in problems]
        self.result.count, self.result.hash = row.sequence, row.hash

    def _note_meaning(self, row: Row[Any]) -> None:
        if row.kind == "purge" and row.body is not None:
            named = json.loads(row.body)["purged"]
            self.allowed |= {int(number): (row.created_at, str(digest)) for number, digest in named.items()}
        if row.kind == "issue" and self.counter_of is not None:
            self._note_counter(row.sequence, row.slot, self.counter_of(row.slot, int(row.content_id)))

    def _note_empty(self, row: Row[Any]) -> None:
        self.emptied[row.sequence] = (row.retain_until or "9999", row.body_sha256)

    def _note_counter(self, number: int, slot: int, index: int | None) -> None:
        if index is not None:
            self.result.used[slot] = max(self.result.used.get(slot, (-1, 0)), (index, number))

    def judge_purges(self, connection: Connection) -> None:
        """Every empty body needs a purge record that names it, came after its retention and is about this body."""
        result = self.result
        earlier = sorted(number for number in self.allowed if number <= result.spared)
        for row in checkpoint.rows_of(connection, earlier):
            if row.body is None:
                self._note_empty(row)
        for number, (retain_until, digest) in self.emptied.items():
            if number not in self.allowed:
                result.problems.append(f"record {number}: its body is missing and no purge record names it")
            elif self.allowed[number][0] < retain_until or self.allowed[number][1] != digest:
                result.problems.append(f"record {number}: its purge record came early or is about another body")
        explained = result.purged + sum(number <= result.spared for number in self.emptied)
        result.purged += len(self.emptied)
        if result.spared and checkpoint.purged_until(connection, result.spared) != explained:
            result.problems.append("bodies are missing that no purge record names; a full verification finds which")


def _check_anchors(connection: Connection, anchors: Iterable[tuple[int, str]], result: Verification) -> None:
    expected = {number: digest for number, digest in anchors if number > 0}
    query = select(records.c.sequence, records.c.hash).where(records.c.sequence.in_(sorted(expected)))
    found = {row.sequence: row.hash for row in connection.execute(query)}
    for number, digest in expected.items():
        if number not in found:
            result.problems.append(f"record {number}: missing, but an anchor was kept of it")
        elif found[number] != digest:
            result.problems.append(f"record {number}: its hash is not the one of the anchor")


def _check_head(connection: Connection, key: bytes | None, result: Verification) -> None:
    at = connection.execute(select(head)).one_or_none()
    if at is None:
        result.problems.append("head: missing")
        return
    if (at.record_count, at.hash) != (result.count, result.hash):
        result.problems.append(f"head: says {at.record_count} records, the chain ends at record {result.count}")
    if key is not None:
        result.head_checked = True
        if not ledger.is_tag(at.tag, ledger.head_tag(key, at.registry_id, at.record_count, at.hash)):
            result.problems.append("head: its tag was not made with the registry's key")


def _check_counters(connection: Connection, result: Verification) -> None:
    ends = {row.slot: row.next_index for row in connection.execute(select(counters))}
    for slot, (index, number) in sorted(result.used.items()):
        if index >= ends.get(slot, 0):
            problem = f"record {number}: its ID lies beyond the counter of slot {slot}, which was set back"
            result.problems.append(problem)
