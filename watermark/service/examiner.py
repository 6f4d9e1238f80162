"""What a worker process holds: every marker, the registry, and the answers that may be given."""

import io
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from watermark import files
from watermark.detection import Detection
from watermark.identity import Evidence, State, measures_article_6, perceptual_hash, public, to_json, trace_content
from watermark.identity.markers import candidates_for
from watermark.keystore import KeyFile
from watermark.registry import Registry
from watermark.service.process import NAME, Finding

SLOTS_SECONDS = 60.0
"""A slot that is defined while the service runs is looked for after this time."""


class Examiner:
    """Looks at pictures with every key that it was given.

    Args:
        registry: SQLite file or database URL.
        key_files: their paths.
        public: give the answers for strangers.
        false_positive_rate: of every answer as a whole.
        misattribution_rate: likewise.

    Raises:
        UserError: no registry, a bad key file, or no slot that belongs to a key.
    """

    def __init__(
        self,
        registry: str,
        key_files: Sequence[str],
        public: bool,
        false_positive_rate: float,
        misattribution_rate: float,
    ) -> None:
        torch.set_num_threads(1)  # one process per core
        self.keys = [KeyFile.load(Path(path)) for path in key_files]
        self.registry = Registry(registry, None, create=False)
        self.public = public
        self.rates: dict[str, Any] = {
            "false_positive_rate": false_positive_rate,
            "misattribution_rate": misattribution_rate,
        }
        self.slots = self.registry.slots()
        self.candidates = candidates_for(self.registry, self.keys, **self.rates)
        self.looked_at = time.monotonic()
        self._warm_up()

    def _warm_up(self) -> None:
        """What is imported or made at the first picture is there before a client waits for it."""
        empty = io.BytesIO()
        Image.new("RGB", (256, 256), (90, 120, 150)).save(empty, "PNG")
        for kind in ("detect", "trace"):
            self.examine(kind, empty.getvalue())

    def examine(self, kind: str, content: bytes) -> Finding:
        """``detect`` or ``trace`` one file.

        Raises:
            UserError: it cannot be read.
        """
        self._know_new_slots()
        image = files.decode(content, NAME, strict=False)
        answer, said = self._detect(image) if kind == "detect" else self._trace(content, image)
        return Finding(answer, said, perceptual_hash(image))

    def _know_new_slots(self) -> None:
        if time.monotonic() - self.looked_at < SLOTS_SECONDS:
            return
        self.looked_at = time.monotonic()
        slots = self.registry.slots()
        if slots != self.slots:
            self.candidates, self.slots = candidates_for(self.registry, self.keys, **self.rates), slots

    def _detect(self, image: Image.Image) -> tuple[dict[str, Any], str]:
        tried = len(self.candidates)
        answers: list[Any] = [candidate.marker.detect(image) for candidate in self.candidates]
        best: Detection = min(answers, key=lambda one: (not one.is_marked, one.provider_id is None, one.log10_p))
        best = replace(best, log10_p=min(0.0, best.log10_p + math.log10(tried)))
        return asdict(best.public() if self.public else best), "marked" if best.is_marked else "no mark"

    def _trace(self, content: bytes, image: Image.Image) -> tuple[dict[str, Any], str]:
        evidence = trace_content(content, NAME, self.registry, self.candidates, image=image, **self.rates)
        answer = told(evidence)
        if not self.public:
            report = to_json(evidence, measures_article_6(evidence))
            answer |= {"log10_p": evidence.watermark.log10_p, "evidence": report}
        return answer, answer["answer"]


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
