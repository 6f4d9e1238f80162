"""A JSON schema from dataclasses, so that a section of the report is described where it is computed and nowhere else.

A field says more about itself with ``Annotated``: ``limits`` holds keywords of JSON Schema, a text describes it.
A class is described by its docstring. ``python -m watermark.report.schema`` writes the file.
"""

import dataclasses
import inspect
import math
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

Json = dict[str, Any]


def limits(**keywords: Any) -> tuple[tuple[str, Any], ...]:
    """Keywords of JSON Schema for ``Annotated``, which wants something hashable."""
    return tuple(keywords.items())


Count = Annotated[int, limits(minimum=0)]
Size = Annotated[float, limits(minimum=0)]
Share = Annotated[float, limits(minimum=0, maximum=1)]
Group = Literal["natural", "hard"]
"""Photographs, or the hard cases that no headline averages over."""

PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", types.NoneType: "null", dict: "object"}


def schema_of(root: type) -> Json:
    """The schema of a dataclass and, under ``$defs``, of every dataclass in it.

    Raises:
        TypeError: for a field whose type has no counterpart in JSON, or for two classes of one name.
    """
    known: dict[str, type] = {}
    pending, described = [root], {}
    while pending:
        kind = pending.pop()
        if known.setdefault(kind.__name__, kind) is not kind:
            raise TypeError(f"two dataclasses are called {kind.__name__}")
        if kind.__name__ not in described:
            described[kind.__name__] = _object(kind, pending)
    body = described.pop(root.__name__)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **body, "$defs": dict(sorted(described.items()))}


def _object(kind: type, pending: list[type]) -> Json:
    hints = get_type_hints(kind, include_extras=True)
    fields = {name: _type(hints[name], pending) for name in _names(kind)}
    description = " ".join((kind.__doc__ or "").split())
    return {"description": description, "type": "object", "properties": fields, "required": list(fields)}


def _names(kind: type) -> list[str]:
    """Of the fields, a class's own before those that it takes over: what a row is about comes first."""
    own = inspect.get_annotations(kind)
    return sorted((field.name for field in dataclasses.fields(kind)), key=lambda name: name not in own)


def _type(hint: Any, pending: list[type]) -> Json:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        notes = [{"description": note} if isinstance(note, str) else dict(note) for note in inner[1:]]
        return {name: value for part in (_type(inner[0], pending), *notes) for name, value in part.items()}
    if origin in (Union, types.UnionType):
        return _any_of([_type(part, pending) for part in inner])
    if origin is list:
        return {"type": "array", "items": _type(inner[0], pending)}
    if origin is dict:
        return {"type": "object"} | ({} if inner[1] is Any else {"additionalProperties": _type(inner[1], pending)})
    if origin is Literal:
        return {"enum": list(inner)}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        pending.append(hint)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    if hint in PLAIN:
        return {"type": PLAIN[hint]}
    raise TypeError(f"no JSON type for {hint!r}")


def _any_of(parts: list[Json]) -> Json:
    """Alternatives; plain types of which at most one says more are one entry with several types."""
    if all("type" in part for part in parts) and sum(len(part) > 1 for part in parts) <= 1:
        merged = {name: value for part in parts for name, value in part.items()}
        return merged | {"type": [part["type"] for part in parts]}
    return {"anyOf": parts}


def to_json(value: Any) -> Any:
    """Dataclasses, NumPy scalars and NaN to what JSON has: objects, numbers, null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: to_json(getattr(value, name)) for name in _names(type(value))}
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
