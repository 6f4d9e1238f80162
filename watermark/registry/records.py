"""What the registry writes down about a provider slot and about an issued image."""

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

RETENTION = timedelta(days=184)  # no six calendar months are longer
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def utc_now() -> datetime:
    """The present moment, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def time_text(moment: datetime) -> str:
    """A moment as the registry writes it: UTC, to the second, so that text order is time order."""
    return moment.astimezone(UTC).strftime(TIME_FORMAT)


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def canonical_json(value: dict[str, Any]) -> str:
    """One spelling for one meaning: sorted keys, no spaces, so that a hash over it can be recomputed by anybody."""
    return _ENCODER.encode(value)


@dataclass(frozen=True)
class Slot:
    """A provider slot: what one value of the provider field stands for. It never changes; a new key takes a new slot.

    Attributes:
        slot: value of the provider field in the pixels.
        content_producer: the provider's 27-character service code (model or app code included).
        key_id: fingerprint of the key file whose marks carry this slot.
        algorithm: scheme name, for instance ``tile_spread``.
        algorithm_version: version of the scheme's mark.
        layout: payload layout, for instance ``l64``.
        content_bits: width of the content ID field.
    """

    slot: int
    content_producer: str
    key_id: str
    algorithm: str
    algorithm_version: str
    layout: str
    content_bits: int


@dataclass(frozen=True)
class IssueRecord:
    """One issued image.

    Attributes:
        version: payload version in the pixels.
        slot: provider slot.
        content_id: number in the pixels, unique within the slot.
        content_producer: 27-character code written in the metadata label.
        produce_id: the provider's number for this image, written in the metadata label.
        label: ``"1"`` is AI-generated, ``"2"`` possibly, ``"3"`` suspected.
        algorithm: scheme name.
        algorithm_version: version of the scheme's mark.
        key_id: fingerprint of the key file.
        released_sha256: of the released file's bytes.
        perceptual_hash: of the released pixels, ``"phash64:"`` and 16 hexadecimal digits.
        thumbnail: small grey copy of the released pixels, to find a crop's place; purged with the record.
        explicit_label: False only where the image was released without a visible label.
        recipient_reference: keyed hash of whom it was provided to; needed where ``explicit_label`` is False.
        c2pa_manifest_id: of a C2PA manifest that goes with the image.
        created_at: UTC; the registry fills it in.
        retain_until: UTC, at least ``RETENTION`` after ``created_at``; the registry fills it in.
    """

    version: int
    slot: int
    content_id: int
    content_producer: str
    produce_id: str
    label: str
    algorithm: str
    algorithm_version: str
    key_id: str
    released_sha256: str
    perceptual_hash: str
    explicit_label: bool
    thumbnail: str | None = None
    recipient_reference: str | None = None
    c2pa_manifest_id: str | None = None
    created_at: str = ""
    retain_until: str = ""


@dataclass(frozen=True)
class History:
    """What the registry knows about one content ID.

    Attributes:
        sequence: number of the issue record in the chain.
        record: None once the record was purged after its retention.
        retain_until: UTC.
        propagators: who spread it, oldest first: ``propagator``, ``propagate_id``, ``created_at``.
        withdrawn: why the image was never released, if so.
    """

    sequence: int
    record: IssueRecord | None
    retain_until: str
    propagators: tuple[dict[str, str], ...] = field(default=())
    withdrawn: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)
