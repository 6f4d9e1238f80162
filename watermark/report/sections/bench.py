"""How time and memory grow with the picture and the batch: what ``watermark bench`` measured beside the run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from watermark.evaluation.manifest import MAX_BYTES, parsed
from watermark.evaluation.parts import own_file
from watermark.evaluation.rows import Run
from watermark.files.reading import read_regular
from watermark.json_schema import Count, Json, Size, limits
from watermark.metrics.power_law import power_law

FILE = "bench.json"
FIELDS = ("scheme", "stage", "side", "batch", "seconds", "slowest", "repeats", "peak_bytes")
ADDED = ("width", "height", "fastest", "found")
"""Fields that files of format 1 do not have; they read as null."""
FACTS = ("command", "device", "threads", "clock", "memory", "torch")


@dataclass(frozen=True)
class BenchCase:
    """Seconds per picture of one scheme, stage, size and batch."""

    scheme: str
    stage: str
    side: Count
    batch: Count
    seconds: Size
    slowest: Size
    repeats: Count
    peak_bytes: Count
    width: Count | None
    height: Count | None
    fastest: Size | None
    found: Count | None
    images_per_second: Size | None


@dataclass(frozen=True)
class Growth:
    """Seconds against pixels as a power law; since 1.2.0."""

    scheme: str
    stage: str
    sizes: Annotated[int, limits(minimum=2)]
    exponent: float
    low: float | None
    high: float | None
    steepest: float


@dataclass(frozen=True)
class Scaling:
    """What ``watermark bench`` measured."""

    command: str
    device: str
    threads: int | None
    clock: str
    memory: str
    torch: str | None
    cases: list[BenchCase]
    growth: list[Growth]


def scaling(run: Run) -> Scaling | None:
    """The cases of ``bench.json`` in the run folder; None where there is none.

    Raises:
        ValueError: if the file is not one of ``watermark bench``.
    """
    path = own_file(run.path, FILE)
    if path is None:
        return None
    known = read(path)
    facts = {name: known[name] for name in FACTS}
    return Scaling(
        **facts, cases=[BenchCase(**c) for c in known["cases"]], growth=[Growth(**g) for g in known["growth"]]
    )


def read(path: Path) -> Json:
    """Facts, ``cases`` and ``growth`` of a ``bench.json``.

    Raises:
        ValueError: if it is none; one line.
    """
    try:
        content = parsed(read_regular(path, MAX_BYTES))
        cases = [_case(case) for case in content["cases"]]
        return {**{name: content[name] for name in FACTS}, "cases": cases, "growth": growth(cases)}
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path}: expected the cases of watermark bench ({error})") from None


def _case(case: Json) -> Json:
    known = {name: case[name] for name in FIELDS} | {name: case.get(name) for name in ADDED}
    return known | {"images_per_second": 1 / case["seconds"] if case["seconds"] > 0 else None}


def growth(cases: Sequence[Json]) -> list[Json]:
    """Per scheme and stage, the exponent of seconds a picture against pixels, for the smallest batch of the file."""
    found = []
    for scheme, stage in dict.fromkeys((case["scheme"], case["stage"]) for case in cases):
        own = single(cases, stage, scheme)
        law = power_law([case["side"] ** 2 for case in own], [case["seconds"] for case in own]) if own else None
        if law is not None:
            fields = {name: getattr(law, name) for name in ("exponent", "low", "high", "steepest")}
            found.append({"scheme": scheme, "stage": stage, "sizes": law.n, **fields})
    return found


def single(cases: Sequence[Json], stage: str, scheme: str | None = None) -> list[Json]:
    """The cases of one stage with the smallest batch that was measured, the smallest picture first."""
    batch = min(case["batch"] for case in cases)
    own = [c for c in cases if (c["stage"], c["batch"]) == (stage, batch) and c["seconds"] > 0]
    return sorted((c for c in own if scheme in (None, c["scheme"])), key=lambda c: c["side"])


def size_of(case: Json) -> str:
    """``768x512``, or ``512`` for a square."""
    if not case.get("width") or case["width"] == case["height"]:
        return str(case["side"])
    return f"{case['width']}x{case['height']}"
