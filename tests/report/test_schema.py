"""The schema comes from the dataclasses of the sections, and a consumer of an older report finds all that it reads."""

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import jsonschema
import pytest

from watermark.json_schema import limits, schema_of, to_json
from watermark.report import schema

OLD = Path(__file__).with_name("report_1_2_0.paths")
"""A line per value of report.json 1.2.0, the last one whose schema was written by hand: its path and its types."""


def paths(node: dict, names: dict, path: str = "") -> dict[str, set[str]]:
    """Types by path: ``cells[].detection.rate`` is a ``number`` or ``null``."""
    node = {**names[node["$ref"].split("/")[-1]], **node} if "$ref" in node else node
    found: dict[str, set[str]] = {}
    parts = [(path, part) for part in node.get("anyOf", [])]
    parts += [(f"{path}.{name}".lstrip("."), part) for name, part in node.get("properties", {}).items()]
    parts += [(f"{path}[]", node["items"])] if "items" in node else []
    if isinstance(node.get("additionalProperties"), dict):
        parts.append((f"{path}.*", node["additionalProperties"]))
    for where, part in parts:
        for name, kinds in paths(part, names, where).items():
            found.setdefault(name, set()).update(kinds)
    if "enum" in node:
        found.setdefault(path, set()).update({f"enum:{','.join(map(str, node['enum']))}"})
    kinds = node.get("type", [])
    found.setdefault(path, set()).update([kinds] if isinstance(kinds, str) else kinds)
    return found


def test_nothing_that_a_consumer_of_an_older_report_reads_has_vanished():
    old = dict(line.split(" ", 1) for line in OLD.read_text().splitlines())
    now = schema()
    new = paths(now, now["$defs"])
    assert len(old) == 602
    assert [path for path in old if path not in new] == []
    for path, kinds in old.items():
        words = {"enum:inf,-inf"} if "q_at_" in path else set()  # was any text
        assert kinds == "any" or new[path] <= set(kinds.split("|")) | words, path


def test_every_described_value_is_required():
    for name, kind in schema()["$defs"].items():
        assert kind["required"] == list(kind["properties"]), name
        assert kind["description"], name


def test_the_file_that_ships_is_what_the_sections_describe():
    """After a change: ``python -m watermark.report.schema``."""
    file = resources.files("watermark.report") / "schema" / "report.schema.json"
    assert json.loads(file.read_text(encoding="utf-8")) == schema()


@dataclass(frozen=True)
class Inner:
    """Inside."""

    share: Annotated[float, limits(minimum=0, maximum=1)] | None


@dataclass(frozen=True)
class Outer(Inner):
    """Outside."""

    name: Annotated[str, "what it is called"]
    kind: Literal["a", "b"]
    inner: Inner | None
    many: list[Inner]
    table: dict[str, int]
    loose: dict[str, Any]


def test_a_dataclass_is_described_with_limits_texts_and_references():
    found = schema_of(Outer)
    assert found["description"] == "Outside."
    assert list(found["properties"]) == ["name", "kind", "inner", "many", "table", "loose", "share"]  # its own first
    assert found["properties"]["name"] == {"type": "string", "description": "what it is called"}
    assert found["properties"]["share"] == {"type": ["number", "null"], "minimum": 0, "maximum": 1}
    assert found["properties"]["inner"] == {"anyOf": [{"$ref": "#/$defs/Inner"}, {"type": "null"}]}
    assert found["properties"]["table"] == {"type": "object", "additionalProperties": {"type": "integer"}}
    jsonschema.Draft202012Validator.check_schema(found)
    value = Outer(share=0.5, name="x", kind="a", inner=None, many=[Inner(None)], table={"n": 1}, loose={"any": []})
    jsonschema.validate(to_json(value), found)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(to_json(Outer(2.0, "x", "a", None, [], {}, {})), found)


def test_a_type_without_a_counterpart_in_json_is_refused():
    @dataclass
    class Wrong:
        value: set[int]

    with pytest.raises(TypeError, match="no JSON type"):
        schema_of(Wrong)


def test_numbers_that_json_does_not_know_become_null():
    assert to_json({"a": float("nan"), "b": [float("inf"), 1.5]}) == {"a": None, "b": [None, 1.5]}
