"""Where the last verification with the key ended, signed with it, so that the next one can start there.

What lies before a checkpoint is not walked again. It is asked cheaply: the record at the checkpoint, the number of
records and of emptied bodies, and a draw of records whose hashes are computed anew. One altered record among many can
slip through the draw; ``verify(full=True)`` finds it for certain.
"""

import hashlib
import hmac
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select

from watermark.registry import ledger
from watermark.registry.records import canonical_json
from watermark.registry.tables import CHUNK, checkpoint, records

DRAWN = 1000
"""Records before a checkpoint that are looked at again, drawn anew each time."""


@dataclass(frozen=True)
class Checkpoint:
    """A state of the chain that was found whole.

    Attributes:
        sequence: the last record walked.
        hash: of that record.
        purged: records up to it whose bodies were emptied.
        used: slot -> highest counter value among the IDs issued, and the record that has it.
    """

    sequence: int
    hash: str
    purged: int
    used: dict[int, tuple[int, int]] = field(default_factory=dict)

    def tag(self, key: bytes, registry_id: str) -> str:
        """The keyed tag over all of it."""
        text = f"checkpoint {registry_id} {canonical_json(asdict(self))}"
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def load(connection: Connection, key: bytes, registry_id: str, problems: list[str]) -> Checkpoint | None:
    """The checkpoint, if there is one; a tag that does not fit becomes a problem."""
    row = connection.execute(select(checkpoint)).one_or_none()
    if row is None:
        return None
    try:
        used = {int(slot): (int(index), int(number)) for slot, (index, number) in json.loads(row.used).items()}
        found = Checkpoint(row.sequence, row.hash, row.purged, used)
    except (ValueError, TypeError, AttributeError, RecursionError):
        found = None
    if found is None or not ledger.is_tag(row.tag, found.tag(key, registry_id)):
        problems.append("checkpoint: its tag was not made with the registry's key")
        return None
    return found


def save(connection: Connection, key: bytes, registry_id: str, reached: Checkpoint) -> None:
    """Keep ``reached`` in place of the one before."""
    connection.execute(delete(checkpoint))
    values = {**asdict(reached), "used": json.dumps(reached.used), "tag": reached.tag(key, registry_id)}
    connection.execute(insert(checkpoint).values(id=1, **values))


def look_before(connection: Connection, start: Checkpoint) -> list[str]:
    """What can be seen cheaply of tampering up to a checkpoint; one line each."""
    problems = []
    at = connection.execute(select(records.c.hash).where(records.c.sequence == start.sequence)).scalar_one_or_none()
    if at != start.hash:
        problems.append(f"record {start.sequence}: its hash is not the one of the checkpoint")
    count, last = connection.execute(select(func.count(), func.max(records.c.sequence)).select_from(records)).one()
    if count != (last or 0):
        problems.append(f"{last - count} records are missing; a full verification names them")
    drawn = sorted(random.SystemRandom().sample(range(1, start.sequence + 1), min(DRAWN, start.sequence)))
    missing = set(drawn)
    for row in rows_of(connection, drawn):
        missing.discard(row.sequence)
        problems += [f"record {row.sequence}: {text}" for text in ledger.alterations(row)]
    return problems + [f"record {number}: missing" for number in sorted(missing)]


def purged_until(connection: Connection, sequence: int) -> int:
    """Records up to a number whose bodies are empty now."""
    empty = records.c.body.is_(None) & (records.c.sequence <= sequence)
    return int(connection.execute(select(func.count()).select_from(records).where(empty)).scalar_one())


def rows_of(connection: Connection, numbers: Sequence[int]) -> Iterator[Row[Any]]:
    """Records by number, as far as they exist."""
    for at in range(0, len(numbers), CHUNK):
        yield from connection.execute(select(records).where(records.c.sequence.in_(numbers[at : at + CHUNK])))
