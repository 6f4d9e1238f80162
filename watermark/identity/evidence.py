"""What was found about a picture, in four fields that are kept apart, and what a policy makes of it.

Metadata can be written by anybody, a declaration is a user's word, a watermark needs the key, a classifier guesses.
"""

import json
import math
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from importlib import metadata
from typing import TYPE_CHECKING, Any

from watermark.errors import UserError
from watermark.identity.looks import ALIGNED_THRESHOLD, THRESHOLD, Likeness
from watermark.labels.carriers import FoundLabel
from watermark.registry import History
from watermark.shown import shown

if TYPE_CHECKING:
    from watermark.localization import Localization

DISTRIBUTION = "robust-watermark"
SCHEMA = f"{DISTRIBUTION} evidence 1"


class State(StrEnum):
    """The answer of the look-up."""

    MATCH = "match"
    UNKNOWN_ID = "valid-checksum-unknown-id"
    SLOT_UNKNOWN = "slot-unknown"
    HASH_MISMATCH = "hash-mismatch"
    NAME_UNCERTAIN = "name-uncertain"
    NO_MARK = "no-mark"


MEANINGS = {
    State.MATCH: "the mark names a recorded image, and the picture looks like it",
    State.UNKNOWN_ID: "a valid mark of a known slot, but no image with this ID is on record",
    State.SLOT_UNKNOWN: "a valid mark, but this registry has no such slot for this key and scheme",
    State.HASH_MISMATCH: "the mark names a recorded image, and the picture does not look like it: perhaps a copied "
    "mark, perhaps heavy editing",
    State.NAME_UNCERTAIN: "a mark of this key, but it is not certain whose: no record is named",
    State.NO_MARK: "no mark at the promised false-positive rate",
}


@dataclass(frozen=True)
class WatermarkEvidence:
    """What the pixels say.

    Attributes:
        state: see ``State``.
        log10_p: how surprising the reading is without a mark; everything that was tried is paid for.
        false_positive_rate: promised for this answer as a whole.
        misattribution_rate: likewise; IDs less certain than that are not named.
        tried: pairs of key and scheme.
        provider_id: slot in the pixels; None without a mark, or where it is not certain whose it is.
        content_id: number in the pixels; likewise.
        version: payload version; likewise.
        name_uncertain: why no ID is named although there is a mark.
        found: the registry's record; None if there is none.
        comparison: with the released picture; None if there is no record or it was purged.
        where: the map of the parts that carry the mark; None without a mark, or where its scheme cannot tell.
    """

    state: State
    log10_p: float
    false_positive_rate: float
    misattribution_rate: float
    tried: int
    provider_id: int | None = None
    content_id: int | None = None
    version: int | None = None
    name_uncertain: str | None = None
    found: History | None = None
    comparison: Likeness | None = None
    where: "Localization | None" = field(default=None, compare=False)

    @property
    def parts(self) -> dict[str, float] | None:
        """Shares of the picture: ``marked``, ``edited``, and ``unknown``; None where there is no map."""
        return None if self.where is None else self.where.shares


@dataclass(frozen=True)
class Evidence:
    """Everything about one file.

    Attributes:
        file: name, SHA-256, size in bytes and pixels, format.
        metadata: AIGC labels found.
        declared: whether the uploader said that it is AI-generated; None if nobody asked.
        watermark: see ``WatermarkEvidence``.
        classifier: what some classifier said, given by the caller: ``name``, ``score``, ``is_generated``. None here:
            this toolkit runs no classifier.
        created_at: UTC.
    """

    file: dict[str, Any]
    metadata: tuple[FoundLabel, ...]
    declared: bool | None
    watermark: WatermarkEvidence
    classifier: dict[str, Any] | None
    created_at: str

    @property
    def is_released_file(self) -> bool | None:
        """Whether the file is the one on record, byte for byte; None where no record was found."""
        record = self.watermark.found.record if self.watermark.found else None
        return None if record is None else record.released_sha256 == self.file["sha256"]

    @property
    def metadata_agrees(self) -> bool | None:
        """Whether a label names the same producer and number as the record; None if one of them is missing."""
        record = self.watermark.found.record if self.watermark.found else None
        labels = [one.label for one in self.metadata if one.label]
        if record is None or not labels:
            return None
        wanted = (record.content_producer, record.produce_id)
        return all((one.content_producer, one.produce_id) == wanted for one in labels)


@dataclass(frozen=True)
class Verdict:
    """What a policy makes of the evidence.

    Attributes:
        platform_class: ``confirmed``, ``possible``, ``suspected`` or ``none``.
        attributed_to: provider code, only where the evidence may support an attribution.
        needs_review: a person should look.
        reasons: one line each.
        policy: its name.
    """

    platform_class: str
    attributed_to: str | None
    needs_review: bool
    reasons: tuple[str, ...]
    policy: str = field(default="measures-article-6")


def public(evidence: Evidence) -> dict[str, Any]:
    """What a stranger may know: whose picture it is if that is certain, whether there is a mark, and no measure.

    How near a picture came to a mark, and how much its looks differ from the record's, are what a forger would climb.
    """
    mark = evidence.watermark
    record = mark.found.record if mark.found and mark.state is State.MATCH else None
    if record is not None:
        return {"answer": "match", "producer": record.content_producer, "number": record.produce_id}
    return {"answer": "no mark" if mark.state is State.NO_MARK else "marked, not attributed"}


def to_json(evidence: Evidence, verdict: Verdict) -> str:
    """The exportable report; the four kinds of evidence stay apart, the verdict stands beside them."""
    mark = evidence.watermark
    found = mark.found.as_dict() if mark.found else None
    comparison = _looks(mark.comparison) if mark.comparison else None
    if found and found["record"]:
        found["record"].pop("thumbnail")
    content = {
        "schema": SCHEMA,
        "created_at": evidence.created_at,
        "tool": {"name": DISTRIBUTION, "version": _version()},
        "file": evidence.file,
        "metadata": {
            "labels": [one.as_dict() for one in evidence.metadata],
            "agrees_with_record": evidence.metadata_agrees,
        },
        "declaration": {"declared": evidence.declared},
        "watermark": {
            "state": mark.state.value,
            "meaning": MEANINGS[mark.state],
            "log10_p": round(mark.log10_p, 3),
            "false_positive_rate": mark.false_positive_rate,
            "misattribution_rate": mark.misattribution_rate,
            "key_and_scheme_pairs_tried": mark.tried,
            "provider_id": mark.provider_id,
            "content_id": mark.content_id,
            "version": mark.version,
            "name_uncertain": mark.name_uncertain,
            "registry": found,
            "is_released_file": evidence.is_released_file,
            "perceptual_hash": comparison,
            "parts": mark.parts and {name: round(share, 4) for name, share in mark.parts.items()},
        },
        "classifier": evidence.classifier,
        "verdict": asdict(verdict),
    }
    return json.dumps(content, indent=2)  # ASCII: nothing in it can drive a terminal, no surrogate stands alone


def _looks(comparison: Likeness) -> dict[str, Any]:
    thresholds = {"whole_threshold": THRESHOLD, "aligned_threshold": ALIGNED_THRESHOLD}
    return asdict(comparison) | thresholds | {"is_same": comparison.is_same}


def _version() -> str:
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "not installed"


def classifier_from_json(text: str) -> dict[str, Any]:
    """A classifier's answer as a caller hands it in.

    Raises:
        UserError: not an object with ``name`` (text), ``score`` (number) and ``is_generated`` (true or false).
    """
    try:
        value = json.loads(text)
        if not (
            isinstance(value["name"], str)
            and isinstance(value["score"], int | float)
            and math.isfinite(value["score"])  # JSON has no other numbers, and the evidence is JSON
            and isinstance(value["is_generated"], bool)
        ):
            raise ValueError
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        wanted = '{"name": "x", "score": 0.9, "is_generated": true}'
        raise UserError(f"expected a classifier answer like {wanted}, got {shown(text, 80) or 'nothing'}") from None
    return {name: value[name] for name in ("name", "score", "is_generated")}
