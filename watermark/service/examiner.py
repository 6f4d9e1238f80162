"""What a worker process holds: every marker, the registry, and the answers that may be given."""

import base64
import io
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from watermark import files
from watermark.codec import Payload
from watermark.config import build_named
from watermark.detection import Detection
from watermark.errors import UserError
from watermark.identity import (
    Evidence,
    State,
    look_up,
    measures_article_6,
    perceptual_hash,
    public,
    to_json,
    trace_content,
)
from watermark.identity.markers import candidates_for
from watermark.identity.tracing import Candidate
from watermark.keystore import KeyFile, load_key
from watermark.labels.soft_binding import algorithm_name, payload_of
from watermark.localization import Localization
from watermark.localization.drawing import overview
from watermark.registry import Registry
from watermark.schemes.base import DEFAULT_SEARCH
from watermark.service.process import NAME, Finding

SCORES = {10**12: 100, 10**6: 90, 10**3: 70}
"""``similarityScore`` of a match by how often an unmarked picture is called marked with this certainty: at most one in
so many. The record's looks agree in every match; how well is for the owner only."""
MAP_SIDE = 640
"""Longest side of the map in an answer, in px."""
SLOTS_SECONDS = 60.0
"""A slot that is defined while the service runs is looked for after this time."""


class Examiner:
    """Looks at pictures with every key that it was given.

    Args:
        registry: SQLite file or database URL.
        key_files: their paths.
        sync_key_file: of the secret that the providers share, if they do.
        public: give the answers for strangers.
        false_positive_rate: of every answer as a whole.
        misattribution_rate: likewise.
        search: how long to look before saying no, ``quick`` or ``thorough``.

    Raises:
        UserError: no registry, a bad key file, or no slot that belongs to a key.
    """

    def __init__(
        self,
        registry: str,
        key_files: Sequence[str],
        sync_key_file: Path | None,
        public: bool,
        false_positive_rate: float,
        misattribution_rate: float,
        search: str = DEFAULT_SEARCH,
    ) -> None:
        torch.set_num_threads(1)  # one process per core
        self.keys = [KeyFile.load(Path(path)) for path in key_files]
        self.sync_key = load_key(sync_key_file) if sync_key_file else None
        self.registry = Registry(registry, None, create=False)
        self.public = public
        self.rates: dict[str, Any] = {
            "false_positive_rate": false_positive_rate,
            "misattribution_rate": misattribution_rate,
        }
        self.search = search
        self.slots = self.registry.slots()
        self.candidates = self._candidates()
        self.looked_at = time.monotonic()
        self._warm_up()

    def _warm_up(self) -> None:
        """What is imported or made at the first picture is there before a client waits for it."""
        empty = io.BytesIO()
        Image.new("RGB", (256, 256), (90, 120, 150)).save(empty, "PNG")
        for kind in ("detect", "trace"):
            self.examine(kind, empty.getvalue())

    def examine(self, kind: str, content: bytes) -> Finding:
        """``detect`` or ``trace`` one file, ``resolve`` it to a C2PA manifest, or resolve a ``binding`` (JSON).

        Raises:
            UserError: it cannot be read.
        """
        self._know_new_slots()
        if kind == "binding":
            return self._resolve_binding(**json.loads(content))
        image = files.decode(content, NAME, strict=False)
        if kind == "trace":
            answer, said = self._trace(content, image)
        else:
            answer, said = self._detect(image) if kind == "detect" else self._resolve(image)
        return Finding(answer, said, perceptual_hash(image))

    def _know_new_slots(self) -> None:
        if time.monotonic() - self.looked_at < SLOTS_SECONDS:
            return
        self.looked_at = time.monotonic()
        slots = self.registry.slots()
        if slots != self.slots:
            self.candidates, self.slots = self._candidates(), slots

    def _candidates(self) -> list[Candidate]:
        return candidates_for(self.registry, self.keys, sync_key=self.sync_key, search=self.search, **self.rates)

    def _detect(self, image: Image.Image) -> tuple[dict[str, Any], str]:
        tried = len(self.candidates)
        answers: list[Any] = [candidate.finder.detect(image) for candidate in self.candidates]
        best: Detection = min(answers, key=lambda one: (not one.is_marked, one.provider_id is None, one.log10_p))
        best = replace(best, log10_p=min(0.0, best.log10_p + math.log10(tried)))
        return asdict(best.public() if self.public else best), "marked" if best.is_marked else "no mark"

    def _resolve(self, image: Image.Image) -> tuple[dict[str, Any], str]:
        """The manifest of a picture whose mark is on record and that looks like the record: no copied mark."""
        found = look_up(image, self.registry, self.candidates, **self.rates)
        record = found.found.record if found.state is State.MATCH and found.found else None
        sure = Detection(True, found.log10_p).public().at_most_one_in or 1
        return matches(
            record.c2pa_manifest_id if record else None, SCORES.get(sure, 50)
        ), "resolved" if record else "no"

    def _resolve_binding(self, alg: str, value: str, owner: str) -> Finding:
        """The manifest that belongs to the value of a soft binding, as the assertion writes it.

        Raises:
            UserError: no algorithm of these slots, or no value of its layout.
        """
        key_ids = {key.key_id for key in self.keys}
        mine = [slot for slot in self.slots if slot.key_id in key_ids]
        mine = [slot for slot in mine if algorithm_name(owner, slot.algorithm, slot.algorithm_version) == alg]
        if not mine:
            raise UserError("expected an algorithm of this service, see services/supportedAlgorithms")
        payloads = {slot.layout: _payload(value, slot.layout) for slot in mine}  # slots of one scheme may differ in it
        if not any(payloads.values()):
            raise UserError("value: expected the bits of a soft binding of this algorithm")
        for slot in mine:
            payload = payloads[slot.layout]
            if payload and payload.provider_id == slot.slot:
                found = self.registry.find(slot.slot, payload.content_id)
                record = found.record if found and not found.withdrawn else None
                if record:
                    return Finding(matches(record.c2pa_manifest_id, 100), "resolved", "")
        return Finding(matches(None, 100), "no", "")

    def _trace(self, content: bytes, image: Image.Image) -> tuple[dict[str, Any], str]:
        """A stranger gets no map: it would tell which change of his took the mark off."""
        evidence = trace_content(
            content, NAME, self.registry, self.candidates, image=image, with_parts=not self.public, **self.rates
        )
        answer, mark = told(evidence), evidence.watermark
        if not self.public:
            report = to_json(evidence, measures_article_6(evidence))
            picture = None if mark.where is None else _map(image, mark.where)
            answer |= {"log10_p": mark.log10_p, "evidence": report, "parts": mark.parts, "map": picture}
        return answer, answer["answer"]


def _map(image: Image.Image, where: Localization) -> str:
    """The map over the picture as ``image/webp`` in base64."""
    file = io.BytesIO()
    overview(image, where, MAP_SIDE).save(file, "WEBP", quality=80)
    return base64.b64encode(file.getvalue()).decode()


def _payload(value: str, layout: str) -> Payload | None:
    """What a soft binding's value says in this layout, None where it is of another."""
    try:
        return payload_of({"blocks": [{"value": value}]}, build_named("layout", layout))
    except UserError:
        return None


def matches(manifest_id: str | None, score: int) -> dict[str, Any]:
    """The result of a C2PA query."""
    return {"matches": [] if manifest_id is None else [{"manifestId": manifest_id, "similarityScore": score}]}


def told(evidence: Evidence) -> dict[str, Any]:
    """The fields of ``PublicTrace``: nothing in them grows as a forger comes near."""
    mark, said = evidence.watermark, public(evidence)
    matches = mark.state is State.MATCH and mark.found is not None and mark.found.record is not None
    labels = [one.label for one in evidence.metadata if one.label]
    rests = (["watermark"] if mark.state is not State.NO_MARK else []) + (["metadata"] if labels else [])
    return {
        "answer": said["answer"],
        "rests_on": rests,
        "producer": said.get("producer"),
        "number": said.get("number"),
        "issued_at": mark.found.record.created_at if matches and mark.found and mark.found.record else None,
        "at_most_one_in": Detection(mark.state is not State.NO_MARK, mark.log10_p).public().at_most_one_in,
        "measures_class": measures_article_6(evidence).platform_class,
        "labels": [
            {
                "carrier": one.carrier,
                "label": one.label.label if one.label else None,
                "producer": one.label.content_producer if one.label else None,
                "number": one.label.produce_id if one.label else None,
            }
            for one in evidence.metadata[:20]
        ],
        "metadata_agrees": evidence.metadata_agrees if matches else None,
    }
