"""Rows of the records table, and what they mean. A database may be a stranger's: every field is looked at."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar, get_type_hints

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


Made = TypeVar("Made", Slot, IssueRecord)


def slot_of(row: Row[Any]) -> Slot:
    """The slot that a ``slot`` record defines.

    Raises:
        UserError: the record defines none.
    """
    return _made(Slot, row)


def found_in(rows: Sequence[Row[Any]]) -> History | None:
    """What the rows about one content ID, oldest first, say together; None without an issue record.

    Raises:
        UserError: a record is not of the shape that a registry writes.
    """
    result, propagators = None, []
    for row in rows:
        if row.kind == "issue":
            result = History(row.sequence, None if row.body is None else _made(IssueRecord, row), row.retain_until)
        elif row.kind == "propagation" and row.body is not None:
            propagators.append(_texts(row))
        elif row.kind == "withdrawal" and result is not None:
            reason = "reason purged" if row.body is None else _texts(row).get("reason", "no reason given")
            result = replace(result, withdrawn=reason)
    return None if result is None else replace(result, propagators=tuple(propagators))


def _made(kind: type[Made], row: Row[Any]) -> Made:
    fields, hints = _unsalted(row), get_type_hints(kind)
    try:
        made = kind(**fields)
    except TypeError:
        raise _misshapen(row) from None
    for name, hint in hints.items():
        value = getattr(made, name)
        if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
            raise _misshapen(row)
    return made


def _texts(row: Row[Any]) -> dict[str, str]:
    fields = _unsalted(row)
    if not all(isinstance(value, str) for value in fields.values()):
        raise _misshapen(row)
    return fields


def _unsalted(row: Row[Any]) -> dict[str, Any]:
    try:
        return {name: value for name, value in json.loads(row.body).items() if name != "salt"}
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise _misshapen(row) from None


def _misshapen(row: Row[Any]) -> UserError:
    return UserError(f"record {row.sequence} is not of the shape that a registry writes")
