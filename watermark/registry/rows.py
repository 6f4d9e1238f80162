"""Rows of the records table, and what they mean."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select

from watermark.errors import UserError
from watermark.registry import ledger
from watermark.registry.records import History, IssueRecord, Slot
from watermark.registry.tables import records


def whole_rows(connection: Connection, wanted: ColumnElement[bool]) -> Sequence[Row[Any]]:
    """Records, oldest first.

    Raises:
        UserError: one does not fit its own hashes.
    """
    rows = connection.execute(select(records).where(wanted).order_by(records.c.sequence)).all()
    for row in rows:
        if ledger.alterations(row):
            raise UserError(f"record {row.sequence} was altered after it was written; see: watermark registry verify")
    return rows


def slot_of(body: str) -> Slot:
    """The slot that a ``slot`` record defines."""
    return Slot(**_unsalted(body))


def found_in(rows: Sequence[Row[Any]]) -> History | None:
    """What the rows about one content ID, oldest first, say together; None without an issue record."""
    result, propagators = None, []
    for row in rows:
        body = {} if row.body is None else _unsalted(row.body)
        if row.kind == "issue":
            result = History(row.sequence, IssueRecord(**body) if body else None, row.retain_until)
        elif row.kind == "propagation" and body:
            propagators.append(body)
        elif row.kind == "withdrawal" and result is not None:
            result = replace(result, withdrawn=body.get("reason", "reason purged"))
    return None if result is None else replace(result, propagators=tuple(propagators))


def _unsalted(body: str) -> dict[str, Any]:
    return {name: value for name, value in json.loads(body).items() if name != "salt"}
