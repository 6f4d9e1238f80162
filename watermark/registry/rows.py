"""From rows of the records table back to what they mean."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row

from watermark.registry.records import History, IssueRecord, Slot


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
