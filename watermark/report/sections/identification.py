"""Right, wrong or no owner, against the size of the registry that a mark is looked up in."""

from dataclasses import dataclass
from typing import Annotated

import pandas as pd

from watermark.evaluation.manifest import read_json
from watermark.evaluation.parts import own_file
from watermark.evaluation.rows import Rate, Run, misattributed, rate, unnamed
from watermark.json_schema import Count, Group, Json, Share
from watermark.metrics.identification import attribution_chances, colliding_pairs

SIZES = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
VOLUMES = (1e6, 1e9, 1e11)


@dataclass(frozen=True)
class Blind:
    """Whom a marked, attacked picture was given to."""

    right: Rate
    wrong: Rate
    unnamed: Annotated[Rate, "marked, and no ID certain enough to name; since 1.4.0"]
    none: Annotated[Rate, "no mark"]


@dataclass(frozen=True)
class CodingGain:
    """Readings with all raw bits right, and with IDs exact after the code."""

    raw: Rate
    coded: Rate
    most_wrong_bits_read: Share | None


@dataclass(frozen=True)
class NearIds:
    """Look-ups in a registry of the own ID and all that differ from it in one bit."""

    ids: Count
    right: Rate
    wrong: Rate
    none: Rate


@dataclass(frozen=True)
class RandomRung(Rate):
    """Random IDs that an unmarked reading agreed with at a promised rate."""

    promised: Share
    supported: bool


@dataclass(frozen=True)
class RandomIds:
    """Unmarked readings against random IDs."""

    ids_per_reading: Count
    ladder: list[RandomRung]


@dataclass(frozen=True)
class Lookup:
    """Expected answers in a registry of so many IDs."""

    size: Count
    right: Share
    wrong: Share
    none: Share


@dataclass(frozen=True)
class SchemeIdentification:
    """Right, wrong or no owner, for one scheme."""

    scheme: str
    group: Group
    blind: Blind
    gain: CodingGain
    near: Annotated[NearIds | None, "null where the run kept no soft decisions or is older"]
    readings: Count
    images: Count
    lookup: list[Lookup] | None


@dataclass(frozen=True)
class CollidingPairs:
    """Pairs of pictures that would share an ID if IDs were drawn at random."""

    images: float
    pairs: float


@dataclass(frozen=True)
class Collisions:
    """Why content IDs are allocated and not drawn."""

    content_bits: Count
    id_bits: Count
    ids_per_provider: Count
    random: list[CollidingPairs]


@dataclass(frozen=True)
class Identification:
    """Owners that a mark leads to."""

    schemes: list[SchemeIdentification]
    collisions: Collisions | None


def identification(run: Run) -> Identification:
    """Measured blind answers, and simulated look-ups of the same readings in registries of growing size."""
    ours = [scheme for scheme in run.schemes if scheme not in run.outside]
    return Identification([_scheme(run, scheme) for scheme in ours], _collisions(run))


def _scheme(run: Run, scheme: str) -> SchemeIdentification:
    marked = run.marked(run.headline_group)
    marked = marked[(marked["scheme"] == scheme) & marked["error"].isna()]
    wrong = misattributed(marked)
    return SchemeIdentification(
        scheme=scheme,
        group=run.headline_group,
        blind=Blind(
            right=rate(marked, "payload_ok"),
            wrong=rate(marked, wrong),
            unnamed=rate(marked, unnamed(marked)),
            none=rate(marked, ~marked["is_marked"]),
        ),
        gain=_gain(marked),
        near=near_ids(run, scheme),
        readings=len(marked),
        images=int(marked["image"].nunique()),
        lookup=_lookups(run, marked) if marked["log10_p_expected"].notna().any() else None,
    )


def _gain(marked: pd.DataFrame) -> CodingGain:
    """What the error-correcting code is worth: readings whose raw bits are all right, and those that decode exactly."""
    read = marked[marked["payload_ok"]]
    return CodingGain(
        raw=rate(marked, marked["bit_errors"] == 0),
        coded=rate(marked, "payload_ok"),
        most_wrong_bits_read=None if read.empty else float((read["bit_errors"] / read["message_bits"]).max()),
    )


def near_ids(run: Run, scheme: str) -> NearIds | None:
    """What ``watermark.evaluation.lookups`` found among near IDs; None where it did not look."""
    said = lookups(run).get(scheme, {}).get("near")
    if not said:
        return None
    right, wrong, none = (Rate(**said[name]) for name in ("right", "wrong", "none"))
    return NearIds(said["ids"], right, wrong, none)


def random_ids(run: Run, scheme: str) -> RandomIds | None:
    """What it found among random IDs; None where it did not look."""
    said = lookups(run).get(scheme, {}).get("random")
    return RandomIds(said["ids_per_reading"], [RandomRung(**rung) for rung in said["ladder"]]) if said else None


def lookups(run: Run) -> Json:
    """By scheme, what ``lookups.json`` in the run folder says."""
    path = own_file(run.path, "lookups.json")
    return read_json(path, {"schemes": {"*": {"*": (dict, type(None))}}})["schemes"] if path else {}


def _lookups(run: Run, marked: pd.DataFrame) -> list[Lookup]:
    found = []
    for size in SIZES:
        outcome = attribution_chances(marked["log10_p_expected"], marked["readings"], size, run.false_positive_rate)
        right, wrong, none = (float(share.mean()) for share in outcome)
        found.append(Lookup(size, right, wrong, max(0.0, none)))
    return found


def _collisions(run: Run) -> Collisions | None:
    layout = run.manifest.get("layout") or {}
    content = layout.get("content_bits", layout.get("content"))
    if not content:
        return None
    return Collisions(
        content_bits=content,
        id_bits=content + (layout.get("provider_bits", layout.get("provider")) or 0),
        ids_per_provider=2**content,
        random=[CollidingPairs(n, colliding_pairs(n, content)) for n in VOLUMES],
    )
