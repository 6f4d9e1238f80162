"""Whose picture is this: detect, look up, compare the looks, and keep the evidence."""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from PIL import Image

from watermark import files
from watermark.detection import MISATTRIBUTION_RATE
from watermark.identity.evidence import Evidence, State, WatermarkEvidence
from watermark.identity.looks import compare
from watermark.labels.carriers import labels_in
from watermark.registry import Registry
from watermark.registry.records import time_text, utc_now

if TYPE_CHECKING:
    from watermark.localization import Localization


class Answer(Protocol):
    """What a marker answers (``watermark.detection.Detection``)."""

    @property
    def is_marked(self) -> bool: ...  # noqa: D102
    @property
    def log10_p(self) -> float: ...  # noqa: D102
    @property
    def provider_id(self) -> int | None: ...  # noqa: D102
    @property
    def content_id(self) -> int | None: ...  # noqa: D102
    @property
    def version(self) -> int | None: ...  # noqa: D102
    @property
    def name_uncertain(self) -> str | None: ...  # noqa: D102


class Finder(Protocol):
    """Reads PIL images; ``watermark.Watermarker`` and ``watermark.Keyring`` do."""

    def detect(self, image: Image.Image) -> Answer:
        """What the pixels say."""
        ...


class Marker(Finder, Protocol):
    """Marks PIL images as well; ``watermark.Watermarker`` does."""

    def embed(self, image: Image.Image, provider_id: int, content_id: int) -> Image.Image:
        """A marked copy."""
        ...


@dataclass(frozen=True)
class Candidate:
    """Keys and a scheme that the registry's marks may have been made with.

    Attributes:
        finder: built with those keys, scheme and layout, at its share of the promised rates.
        key_ids: fingerprints of the keys.
        algorithm: scheme name.
        layout: payload layout.
    """

    finder: Finder
    key_ids: tuple[str, ...]
    algorithm: str
    layout: str


def trace(
    path: Path,
    registry: Registry,
    candidates: Iterable[Candidate],
    *,
    false_positive_rate: float,
    misattribution_rate: float = MISATTRIBUTION_RATE,
    declared: bool | None = None,
    classifier: dict[str, Any] | None = None,
) -> Evidence:
    """Gather the evidence about one file.

    Args:
        path: a picture.
        registry: opened with or without its key.
        candidates: what to look for, each built with both rates divided by ``len(candidates)``.
        false_positive_rate: promised for the answer as a whole.
        misattribution_rate: likewise, for the IDs of a marked picture.
        declared: the uploader's word, if asked.
        classifier: some classifier's answer, if any.

    Raises:
        UserError: the file cannot be read.
    """
    return trace_content(
        files.read_bytes(path),
        path,
        registry,
        candidates,
        false_positive_rate=false_positive_rate,
        misattribution_rate=misattribution_rate,
        declared=declared,
        classifier=classifier,
        with_parts=True,
    )


def trace_content(
    content: bytes,
    name: str | Path,
    registry: Registry,
    candidates: Iterable[Candidate],
    *,
    false_positive_rate: float,
    misattribution_rate: float = MISATTRIBUTION_RATE,
    declared: bool | None = None,
    classifier: dict[str, Any] | None = None,
    image: Image.Image | None = None,
    with_parts: bool = False,
) -> Evidence:
    """The same about a file that is not on a disk: its content, and what it is called; see ``trace``.

    ``image`` is the decoded picture, where the caller has it already; ``with_parts`` as in ``look_up``.
    """
    image = files.decode(content, name, strict=False) if image is None else image
    facts = {
        "name": Path(name).name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "width": image.width,
        "height": image.height,
    }
    return Evidence(
        file=facts,
        metadata=tuple(labels_in(files.metadata_of(content, name))),
        declared=declared,
        watermark=look_up(
            image, registry, list(candidates), false_positive_rate, misattribution_rate, with_parts=with_parts
        ),
        classifier=classifier,
        created_at=time_text(utc_now()),
    )


def look_up(
    image: Image.Image,
    registry: Registry,
    candidates: list[Candidate],
    false_positive_rate: float,
    misattribution_rate: float = MISATTRIBUTION_RATE,
    *,
    with_parts: bool = False,
) -> WatermarkEvidence:
    """Detect with every candidate, take the most certain answer, and look it up if it names anybody.

    ``with_parts`` also says which part of the picture carries the mark; it takes about as long as reading it again.
    """
    tried = sum(len(candidate.key_ids) for candidate in candidates)
    answers = [(candidate.finder.detect(image), candidate) for candidate in candidates]
    answers.sort(key=lambda pair: (not pair[0].is_marked, pair[0].provider_id is None, pair[0].log10_p))
    log10_p = min(0.0, answers[0][0].log10_p + math.log10(len(candidates))) if answers else 0.0
    nothing = WatermarkEvidence(State.NO_MARK, log10_p, false_positive_rate, misattribution_rate, tried)
    if not answers or not answers[0][0].is_marked:
        return nothing
    found, candidate = answers[0]
    nothing = replace(nothing, where=_located(candidate.finder, image) if with_parts else None)
    provider_id, content_id = found.provider_id, found.content_id
    if provider_id is None or content_id is None:
        return replace(nothing, state=State.NAME_UNCERTAIN, name_uncertain=found.name_uncertain)
    slot, record, comparison = registry.slot(provider_id), None, None
    expected = candidate.algorithm, candidate.layout
    if slot is None or slot.key_id not in candidate.key_ids or (slot.algorithm, slot.layout) != expected:
        state = State.SLOT_UNKNOWN
    elif (record := registry.find(provider_id, content_id)) is None or record.record is None:
        state = State.UNKNOWN_ID
    else:
        comparison = compare(image, record.record.perceptual_hash, record.record.thumbnail)
        state = State.MATCH if comparison.is_same else State.HASH_MISMATCH
    return replace(
        nothing,
        state=state,
        provider_id=provider_id,
        content_id=content_id,
        version=found.version,
        found=record,
        comparison=comparison,
    )


def _located(finder: Finder, image: Image.Image) -> "Localization | None":
    """The map of the picture; None where the finder or its scheme cannot tell."""
    locate = getattr(finder, "locate", None)
    try:
        return None if locate is None else locate(image)
    except ValueError:  # another family of schemes
        return None
