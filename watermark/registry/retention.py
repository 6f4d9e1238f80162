"""Empty records whose retention is over, with the manifests kept for them, and refuse to touch any other."""

from collections.abc import Iterable

from sqlalchemy import Connection, delete, exists, select, update

from watermark.errors import UserError
from watermark.registry import ledger
from watermark.registry.ledger import Entry
from watermark.registry.tables import CHUNK, manifests, records


def purge(connection: Connection, key: bytes, now: str, sequences: Iterable[int] | None = None) -> int:
    """Write a purge record that names what goes, then empty those bodies; one transaction. Returns how many.

    Raises:
        UserError: a named record must still be kept, is purged already or does not exist.
    """
    due = (records.c.retain_until <= now) & records.c.body.is_not(None)
    query = select(records.c.sequence, records.c.body_sha256).where(due)  # unordered: the index of bodies
    ready = {row.sequence: row.body_sha256 for row in sorted(connection.execute(query))}
    if sequences is not None:
        chosen = list(sequences)
        for number in chosen:
            if number not in ready:
                raise UserError(_why_not(connection, number))
        ready = {number: ready[number] for number in chosen}
    if ready:
        named = {str(number): digest for number, digest in ready.items()}
        ledger.append(connection, key, [Entry("purge", {"purged": named}, now)])
    numbers = list(ready)
    for start in range(0, len(numbers), CHUNK):
        some = records.c.sequence.in_(numbers[start : start + CHUNK])
        connection.execute(update(records).where(some).values(body=None))
        theirs = (records.c.slot == manifests.c.slot) & (records.c.content_id == manifests.c.content_id)
        connection.execute(delete(manifests).where(exists().where(some & theirs & (records.c.kind == "issue"))))
    return len(numbers)


def _why_not(connection: Connection, number: int) -> str:
    row = connection.execute(select(records).where(records.c.sequence == number)).one_or_none()
    if row is None:
        return f"record {number} does not exist"
    if row.body is None:
        return f"record {number} is purged already"
    return f"record {number} must be kept {'until ' + row.retain_until if row.retain_until else 'for ever'}"
