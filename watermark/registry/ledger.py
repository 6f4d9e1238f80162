"""The hash chain: each record holds the hash of the one before, and a keyed tag holds the number of records.

``hash = SHA-256(canonical JSON of previous, sequence, kind, slot, content_id, created_at, retain_until, body_sha256)``
so that anybody can recompute the chain without a key. The chain covers the hash of the body, not the body: after its
retention a body is emptied and the chain still holds. A random salt inside each body keeps its hash from confirming a
guess of what was erased.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from watermark.errors import UserError
from watermark.registry.records import canonical_json
from watermark.registry.tables import head, records

GENESIS = "0" * 64
CHAINED = ("previous", "sequence", "kind", "slot", "content_id", "created_at", "retain_until", "body_sha256")


@dataclass(frozen=True)
class Entry:
    """One record to append; ``slot`` and ``content_id`` are for look-up, ``body`` holds the whole."""

    kind: str
    body: dict[str, Any]
    created_at: str
    slot: int | None = None
    content_id: int | None = None
    retain_until: str | None = None


def chain_hash(row: dict[str, Any]) -> str:
    """The hash of one record from its columns."""
    return hashlib.sha256(canonical_json({name: row[name] for name in CHAINED}).encode()).hexdigest()


def head_tag(key: bytes, registry_id: str, count: int, last: str) -> str:
    """The keyed tag over the number of records and the last hash."""
    return hmac.new(key, f"head {registry_id} {count} {last}".encode(), hashlib.sha256).hexdigest()


def create_head(connection: Connection, key: bytes, registry_id: str) -> None:
    """Write the head of an empty registry."""
    tag = head_tag(key, registry_id, 0, GENESIS)
    connection.execute(insert(head).values(id=1, registry_id=registry_id, record_count=0, hash=GENESIS, tag=tag))


def append(connection: Connection, key: bytes, entries: Sequence[Entry]) -> int:
    """Append records inside a writing transaction; returns the sequence number of the last.

    Raises:
        UserError: the head's tag does not fit the key: somebody without the key wrote to the database.
    """
    at = connection.execute(select(head).with_for_update()).one()
    if not is_tag(at.tag, head_tag(key, at.registry_id, at.record_count, at.hash)):
        raise UserError("the registry's head was not written with this key; run `watermark registry verify`")
    sequence, last, rows = at.record_count, at.hash, []
    for entry in entries:
        body = canonical_json({**entry.body, "salt": secrets.token_hex(16)})
        sequence += 1
        row = {
            "sequence": sequence,
            "kind": entry.kind,
            "slot": entry.slot,
            "content_id": None if entry.content_id is None else str(entry.content_id),
            "created_at": entry.created_at,
            "retain_until": entry.retain_until,
            "body": body,
            "body_sha256": hashlib.sha256(body.encode()).hexdigest(),
            "previous": last,
        }
        last = row["hash"] = chain_hash(row)
        rows.append(row)
    connection.execute(insert(records), rows)
    tag = head_tag(key, at.registry_id, sequence, last)
    connection.execute(update(head).values(record_count=sequence, hash=last, tag=tag))
    return sequence


def alterations(row: Row[Any]) -> list[str]:
    """What in a record does not fit its own hashes; look-ups ask this of every record that they return."""
    problems = []
    try:
        if row.hash != chain_hash(row._asdict()):
            problems.append("was altered: its hash does not fit its columns")
        if row.body is not None and row.body_sha256 != hashlib.sha256(row.body.encode()).hexdigest():
            problems.append("was altered: its body does not fit the body's hash")
    except (TypeError, ValueError, AttributeError):  # SQLite keeps bytes in a column of text
        problems.append("was altered: a column holds what no registry writes")
    return problems


def is_tag(stored: object, tag: str) -> bool:
    """Whether a stored value is this tag, in constant time; it may be anything."""
    return isinstance(stored, str) and hmac.compare_digest(stored.encode("utf-8", "replace"), tag.encode())
