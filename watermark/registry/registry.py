"""The registry: hand out content IDs, write down what was issued, and find it again."""

import hashlib
import hmac
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from functools import cache, cached_property, partial
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from watermark.errors import UserError
from watermark.labels.provider_code import ProviderCode
from watermark.registry import checkpoint, ledger, retention
from watermark.registry.database import LostConnectionError, reconnecting, transaction
from watermark.registry.ledger import Entry
from watermark.registry.opened import OpenDatabase
from watermark.registry.permutation import KeyedPermutation
from watermark.registry.records import RETENTION, History, IssueRecord, Slot, time_text
from watermark.registry.rows import found_in, slot_of, whole_rows
from watermark.registry.tables import CHUNK, IS_SLOT, counters, records
from watermark.registry.tables import manifests as kept_manifests
from watermark.registry.verification import CounterOf, Verification, verify

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Block:
    """A range of counter values that one process may use alone, ``start`` to ``stop`` without ``stop``."""

    slot: int
    start: int
    stop: int


class Registry(OpenDatabase):
    """Issued marks in a database.

    Args:
        location: file path (SQLite) or database URL.
        key: the registry's secret (``KeyFile.registry_key``): shuffles the IDs and signs the head. Without it the
            registry can be read, verified as a chain and searched, but not written.
        clock: the present moment; tests set it.
        create: make the registry if there is none; needs the key.

    Raises:
        UserError: there is no registry there and none was to be made, or it was made with another key.
        TypeError: the key is no key.
        ValueError: the key is empty.
    """

    # ---- provider slots

    def add_slot(self, slot: Slot) -> None:
        """Define a provider slot, for ever.

        Raises:
            UserError: the slot is taken, or the provider code does not have its documented shape.
        """
        ProviderCode.parse(slot.content_producer)
        if slot.slot < 0 or not 1 <= slot.content_bits <= 128:
            raise UserError(
                f"expected a slot of at least 0 and 1 to 128 content bits, got {slot.slot}, {slot.content_bits}"
            )
        taken = UserError(f"slot {slot.slot} is taken; a new provider, model or key takes a new slot")
        try:
            with self._write() as (connection, key):
                if self._slot(connection, slot.slot) is not None:
                    raise taken
                entry = Entry("slot", asdict(slot), time_text(self._clock()), slot.slot)
                ledger.append(connection, key, [entry])
                connection.execute(insert(counters).values(slot=slot.slot, next_index=0))
        except UserError as error:
            raise taken if isinstance(error.__cause__, IntegrityError) else error from None

    def slot(self, number: int) -> Slot | None:
        """The definition of a slot, or None."""
        return self._read(lambda connection: self._slot(connection, number))

    def slots(self) -> list[Slot]:
        """Every slot, in the order of definition."""
        return self._read(lambda connection: [slot_of(row) for row in whole_rows(connection, IS_SLOT)])

    # ---- content IDs

    def allocate(self, slot: int) -> int:
        """A content ID that nobody else ever gets. It is used up even if the image is never released."""
        return self.content_ids(self.reserve(slot, 1))[0]

    def reserve(self, slot: int, count: int) -> Block:
        """Take ``count`` counter values for one process; what it does not use is never handed out again.

        Raises:
            UserError: the slot is unknown or has not so many numbers left.
        """
        if count < 1:
            raise UserError(f"expected a block of at least 1 number, got {count}")
        self._writable()
        shuffle = self._shuffle(slot)
        query = update(counters).where(counters.c.slot == slot).values(next_index=counters.c.next_index + count)

        def take() -> int:
            with transaction(self._engine, writes=True) as connection:
                stop = int(connection.execute(query.returning(counters.c.next_index)).scalar_one())
                if stop > shuffle.size:
                    left = shuffle.size - stop + count
                    raise UserError(f"slot {slot} has {left} content IDs left, {count} were asked for")
                return stop

        stop = reconnecting(take)  # done twice, it wastes numbers and repeats none
        return Block(slot, stop - count, stop)

    def content_ids(self, block: Block) -> list[int]:
        """The content IDs of a block, in the keyed order. Needs the key, not the database."""
        shuffle = self._shuffle(block.slot)
        return [shuffle.forward(index) for index in range(block.start, block.stop)]

    def reserved(self, slot: int, content_ids: Iterable[int]) -> list[bool]:
        """Of each ID, whether somebody took it by ``allocate`` or ``reserve``. Needs the key."""
        shuffle = self._shuffle(slot)
        query = select(counters.c.next_index).where(counters.c.slot == slot)
        stop = self._read(lambda connection: int(connection.execute(query).scalar_one()))
        return [0 <= one < shuffle.size and shuffle.inverse(one) < stop for one in content_ids]

    # ---- records

    def record(
        self,
        issued: Sequence[IssueRecord],
        keep: timedelta = RETENTION,
        manifests: Mapping[str, bytes] | None = None,
    ) -> list[IssueRecord]:
        """Append issued images, all or none, and return them with their times.

        ``manifests`` are the C2PA manifest stores of these images, by the ``c2pa_manifest_id`` of their records.

        Raises:
            UserError: retention under six months, an unknown slot, an ID recorded before, or no recipient for an
                image without a visible label.
        """
        if keep < RETENTION:
            raise UserError(f"records are kept at least {RETENTION.days} days, got {keep.days}")
        now = self._clock()
        stamped = [replace(r, created_at=time_text(now), retain_until=time_text(now + keep)) for r in issued]
        for one in stamped:
            self._shuffle(one.slot)
            if not one.explicit_label and not one.recipient_reference:
                raise UserError("an image without a visible label needs a recipient (Labelling Measures, Art. 9)")
        entries = [
            Entry("issue", asdict(one), one.created_at, one.slot, one.content_id, one.retain_until) for one in stamped
        ]
        kept = [
            {
                "manifest_id": one.c2pa_manifest_id,
                "slot": one.slot,
                "content_id": str(one.content_id),
                "content": manifests[one.c2pa_manifest_id],
            }
            for one in stamped
            if manifests and one.c2pa_manifest_id and one.c2pa_manifest_id in manifests
        ]
        self._append_issues(stamped, entries, kept)
        return stamped

    def add_propagator(self, slot: int, content_id: int, propagator: str, propagate_id: str) -> None:
        """Append that a service spread an issued image."""
        self._append_about(slot, content_id, "propagation", {"propagator": propagator, "propagate_id": propagate_id})

    def withdraw(self, slot: int, content_id: int, reason: str) -> None:
        """Append that a recorded image was not released after all."""
        self._append_about(slot, content_id, "withdrawal", {"reason": reason})

    def find(self, slot: int, content_id: int) -> History | None:
        """Everything recorded about one content ID, or None.

        Raises:
            UserError: a record does not fit its own hash, so it must not be relied on.
        """
        wanted = (records.c.slot == slot) & (records.c.content_id == str(content_id))
        return self._read(lambda connection: found_in(whole_rows(connection, wanted)))

    def find_many(self, slot: int, content_ids: Iterable[int]) -> dict[int, History]:
        """As ``find``, of as many as you like: what is recorded, by content ID."""
        found: dict[int, History] = {}
        texts = [str(one) for one in content_ids]
        for start in range(0, len(texts), CHUNK):
            wanted = (records.c.slot == slot) & records.c.content_id.in_(texts[start : start + CHUNK])
            rows: dict[str, list[Row[Any]]] = {}
            for row in self._read(partial(whole_rows, wanted=wanted)):
                rows.setdefault(row.content_id, []).append(row)
            histories = {int(text): found_in(held) for text, held in rows.items()}
            found |= {content_id: history for content_id, history in histories.items() if history is not None}
        return found

    def manifest(self, manifest_id: str) -> bytes | None:
        """The C2PA manifest store that was kept under this ID, or None; it goes when its record is purged."""
        if self._version < 3:  # opened without the key, so it could not be brought up to date
            return None
        query = select(kept_manifests.c.content).where(kept_manifests.c.manifest_id == manifest_id)
        return self._read(lambda connection: connection.execute(query).scalar_one_or_none())

    def recipient_reference(self, recipient: str) -> str:
        """A keyed hash of whom an image was provided to: found again with the key, not guessed without it."""
        return hmac.new(
            self._writable(), b"recipient " + recipient.encode("utf-8", "surrogatepass"), hashlib.sha256
        ).hexdigest()

    # ---- keeping

    def verify(self, anchors: Sequence[tuple[int, str]] = (), *, full: bool = False) -> Verification:
        """Walk the chain; with the key, also the head's tag and every ID against its slot's counter.

        A verification with the key that finds nothing leaves a signed checkpoint, and the next one starts there: see
        ``watermark.registry.checkpoint`` for what is still asked of the records before it.

        Args:
            anchors: ``(count, hash)`` pairs of earlier verifications, kept elsewhere.
            full: walk all records.
        """
        with transaction(self._engine, writes=False) as connection:
            result = verify(connection, self._key, anchors, full=full, counter_of=self._counter_of())
        if self._key is not None and self._id is not None and result.ok and result.count > result.spared:
            try:
                with transaction(self._engine, writes=True) as connection:
                    checkpoint.save(connection, self._key, self._id, result.reached)
            except UserError as error:  # no disk for it costs the next walk its start, not this one its answer
                log.warning("no checkpoint is kept: %s", error)
        return result

    def purge(self, sequences: Iterable[int] | None = None) -> int:
        """Empty the bodies of records whose retention is over; returns how many. The chain still verifies.

        Args:
            sequences: these records only; None: every record whose time has come.

        Raises:
            UserError: a record must still be kept, is kept for ever, is purged already or does not exist.
        """
        with self._write() as (connection, key):
            return retention.purge(connection, key, time_text(self._clock()), sequences)

    # ---- inside

    def _append_issues(self, stamped: list[IssueRecord], entries: list[Entry], kept: list[dict[str, Any]]) -> None:
        """Append, again where the connection was lost; lost at the commit, they may stand there already."""
        lost = False

        def once() -> None:
            nonlocal lost
            try:
                self._append(entries, "one of these content IDs is already recorded", kept)
            except LostConnectionError:
                lost = True
                raise
            except UserError:
                found = [self.find(one.slot, one.content_id) for one in stamped] if lost else []
                if not found or [one.record if one else None for one in found] != stamped:
                    raise

        reconnecting(once)

    def _append_about(self, slot: int, content_id: int, kind: str, body: dict[str, str]) -> None:
        found = self.find(slot, content_id)
        if found is None:
            raise UserError(f"content ID {content_id} of slot {slot} is not recorded")
        now = time_text(self._clock())
        self._append([Entry(kind, {**body, "created_at": now}, now, slot, content_id, found.retain_until)], kind)

    def _slot(self, connection: Connection, number: int) -> Slot | None:
        rows = whole_rows(connection, IS_SLOT & (records.c.slot == number))
        return slot_of(rows[0]) if rows else None

    @cached_property
    def _shuffles(self) -> dict[int, KeyedPermutation]:
        """By slot, as they are asked for."""
        return {}

    def _shuffle(self, number: int) -> KeyedPermutation:
        if number not in self._shuffles:
            slot = self.slot(number)
            if slot is None:
                raise UserError(f"slot {number} is not defined in this registry; see `watermark registry add-slot`")
            self._shuffles[number] = KeyedPermutation(
                self._writable(), f"content ids of slot {number}", slot.content_bits
            )
        return self._shuffles[number]

    def _counter_of(self) -> CounterOf | None:
        """From a slot and an ID to the counter value that it was made from, None where that cannot be said."""
        if self._key is None:
            return None

        @cache
        def shuffle_of(slot: int) -> KeyedPermutation | None:
            try:
                return self._shuffle(slot)
            except UserError:  # undefined or altered, which the walk itself finds
                return None

        def counter_of(slot: int, content_id: int) -> int | None:
            shuffle = shuffle_of(slot)
            return shuffle.inverse(content_id) if shuffle and 0 <= content_id < shuffle.size else None

        return counter_of
