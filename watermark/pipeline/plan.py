"""The plan: which picture is in which shard, and which block of content IDs is theirs. Written once, before any work.

Parts (``_plan/00000.parquet``) come first, ``_plan/plan.json`` last: without it there is no plan, and the
next run makes one. A block of IDs that was reserved for a plan that never came to be is lost, which costs numbers and
repeats none.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from watermark.errors import UserError
from watermark.pipeline import store
from watermark.pipeline.sources import Beside, Entry
from watermark.pipeline.store import MANY_BYTES, Place
from watermark.shown import shown

FOLDER, FILE = "_plan", "plan.json"
VERSION = 1


@dataclass(frozen=True)
class Planned:
    """A picture of the plan: the entry, and its number among those of its provider that get a reserved ID."""

    entry: Entry
    index: int | None


@dataclass(frozen=True)
class Plan:
    """What is to be done, the same for every run on a target.

    Attributes:
        settings: everything that changes results, as plain values.
        shards: how many.
        pictures: how many.
        size: bytes of the source, where it says so.
        blocks: provider -> first and last-but-one counter value of its reserved IDs.
    """

    settings: dict[str, Any]
    shards: int
    pictures: int
    size: int
    blocks: dict[int, tuple[int, int]]

    def as_json(self) -> bytes:
        """What ``plan.json`` says."""
        return (json.dumps({"version": VERSION, **asdict(self)}, indent=2, sort_keys=True) + "\n").encode()


def shard_name(number: int) -> str:
    """``00042``; longer from a hundred thousand."""
    return f"{number:05d}"


def make(
    target: Place,
    settings: dict[str, Any],
    entries: Iterable[Entry],
    shard_size: int,
    reserve: Callable[[int | None, int], tuple[int, int]] | None,
) -> Plan:
    """Write a plan.

    Args:
        target: the folder to fill.
        settings: everything that changes results.
        entries: the source's pictures.
        shard_size: pictures a shard.
        reserve: takes content IDs of a provider; None: no picture gets one.

    Raises:
        UserError: the source is empty or cannot be read, the target cannot be written, or there are no IDs left.
    """
    used: Counter[int | None] = Counter()
    shards = pictures = size = 0
    rest = iter(entries)
    while held := list(islice(rest, shard_size)):
        planned = []
        for entry in held:
            index = None
            if reserve is not None and entry.content is None:
                index = used[entry.provider]
                used[entry.provider] += 1
            planned.append(Planned(entry, index))
        store.write(_part(target, shards), _table(planned))
        shards, pictures = shards + 1, pictures + len(held)
        size += sum(entry.size or 0 for entry in held)
    if not pictures:
        raise UserError(f"{shown(settings['source'])}: no pictures there")
    blocks = {} if reserve is None else {slot: reserve(slot, count) for slot, count in used.items()}
    plan = Plan(settings, shards, pictures, size, {slot: block for slot, block in blocks.items() if slot is not None})
    store.write(target / FOLDER / FILE, plan.as_json())
    return plan


def load(target: Place) -> Plan | None:
    """The plan of a target, or None.

    Raises:
        UserError: it is none, or of another version.
    """
    place = target / FOLDER / FILE
    if store.kind(place) == "nothing":
        return None
    try:
        held = json.loads(store.read(place))
        if held.pop("version") != VERSION:
            raise UserError(f"{shown(place)}: made by another version of this command")
        blocks = {int(slot): (int(start), int(stop)) for slot, (start, stop) in held.pop("blocks").items()}
        return Plan(**held, blocks=blocks)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UserError(f"{shown(place)}: expected a plan of this command") from None


def part(target: Place, number: int) -> list[Planned]:
    """The pictures of one shard."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = pq.read_table(pa.BufferReader(store.read(_part(target, number), at_most=MANY_BYTES))).to_pylist()
    return [
        Planned(
            Entry(
                row["uri"],
                row["name"],
                row["offset"],
                row["size"],
                row["provider"],
                None if row["content"] is None else int(row["content"]),
                tuple(Beside(**one) for one in row["beside"]),
            ),
            row["index"],
        )
        for row in rows
    ]


def differences(plan: Plan, settings: dict[str, Any]) -> Iterator[str]:
    """What another configuration would do otherwise, one phrase each."""
    given = json.loads(json.dumps(settings))
    for name in sorted(plan.settings.keys() | given.keys()):
        was, now = plan.settings.get(name), given.get(name)
        if was != now:
            yield f"{name} {shown(_words(was), 80)}, not {shown(_words(now), 80)}"


def _words(value: Any) -> str:
    """A setting as a person says it; the keys of a marker that reads with one have no owner."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {one}" if name else str(one) for name, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _part(target: Place, number: int) -> Place:
    return target / FOLDER / f"{shard_name(number)}.parquet"


def _table(planned: list[Planned]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    beside = pa.list_(pa.struct([("suffix", pa.string()), ("offset", pa.int64()), ("size", pa.int64())]))
    schema = pa.schema(
        [
            ("uri", pa.string()),
            ("name", pa.string()),
            ("offset", pa.int64()),
            ("size", pa.int64()),
            ("provider", pa.int64()),
            ("content", pa.string()),  # decimal: a field may be wider than 64 bits
            ("index", pa.int64()),
            ("beside", beside),
        ]
    )
    rows = []
    for one in planned:
        row = asdict(one.entry) | {"index": one.index}
        row["content"] = None if one.entry.content is None else str(one.entry.content)
        rows.append(row)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema), sink, compression="zstd")
    return sink.getvalue().to_pybytes()
