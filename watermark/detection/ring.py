"""Many keys behind one read: which of them proves a mark, at a false-positive rate that holds for all together."""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from watermark.codec.codec import Codec, Decoded
from watermark.codec.limiter import limited
from watermark.codec.ranking import Ranking
from watermark.detection.answer import Detection
from watermark.detection.detector import MISATTRIBUTION_RATE, Answer, Detector, SoftRead

FIRST, MORE = 4, 12
"""Pairs of reading and key that are decoded, the likeliest: of the first reading, and of all if that is not enough."""


class RingDetector:
    """One answer for the keys of many providers.

    Every key judges as it would alone (``Detector``), and pays for all keys by the union bound, whichever of them were
    decoded. A key that proves a mark names its provider, whatever provider the payload claims; the content ID is given
    where it is certain under that key.

    Args:
        codecs: of each provider ID, all built with one ``sync_key``, or one alone.
        false_positive_rate: promised chance that a picture without a mark of these keys is called marked.
        misattribution_rate: promised chance that a marked picture is given an ID that is not its own.
        keys: how many keys there are in all, if there are more than these; the p-value pays for them.
    """

    def __init__(
        self,
        codecs: Mapping[int, Codec],
        false_positive_rate: float = 1e-6,
        misattribution_rate: float = MISATTRIBUTION_RATE,
        *,
        keys: int | None = None,
    ) -> None:
        self.providers = list(codecs)
        self.detectors = [
            Detector(codec, false_positive_rate, misattribution_rate, keys=keys or len(codecs))
            for codec in codecs.values()
        ]
        self.rate = math.log10(min(false_positive_rate, misattribution_rate))
        self.ranking = Ranking(list(codecs.values()), self.providers)

    def detect(self, readout: SoftRead) -> list[Detection]:
        """One answer per image; ``provider_id`` is the key's, and is given for every mark that is proven."""
        logits, others = readout.logits[:, None], readout.others  # (N, 1, K), (N, C, K)
        soft = logits if others is None else torch.cat([logits, others], 1)
        return [self._strongest(each, tries) for each, tries in zip(soft, readout.readings.detach().cpu(), strict=True)]

    def codec_of(self, found: Detection) -> Codec | None:
        """The code of the provider that an answer names."""
        named = found.provider_id
        return None if named is None else self.detectors[self.providers.index(named)].codec

    def _strongest(self, soft: Tensor, tries: Tensor) -> Detection:
        """The answer to the readings ``(R, K)`` of one picture: the first of them alone, if that is certain."""
        answers: dict[int, list[Answer]] = defaultdict(list)
        first = self._likeliest(soft[:1], FIRST)
        self._judge(soft, first, tries, answers)
        if not self._any_certain(answers):
            more = [pair for pair in self._likeliest(soft, FIRST + MORE) if pair not in first]
            self._judge(soft, more, tries, answers)
        found = [self._named(key, self.detectors[key].conclude(said, int(tries))) for key, said in answers.items()]
        nothing = Detection(False, 0.0, readings=int(tries))
        return min(found, key=lambda one: (not one.is_marked, one.provider_id is None, one.log10_p), default=nothing)

    def _judge(
        self, soft: Tensor, pairs: list[tuple[int, int]], tries: Tensor, answers: dict[int, list[Answer]]
    ) -> None:
        """Add what keys say of readings ``(R, K)``, for ``pairs`` of the two."""
        codecs = [self.detectors[key].codec for _, key in pairs]
        words = self.detectors[0].codec.decode_with(codecs, soft[[reading for reading, _ in pairs]])
        wanted: dict[int, dict[int, Decoded]] = defaultdict(dict)
        for (reading, key), decoded in zip(pairs, words, strict=True):
            wanted[key][reading] = decoded
        for key, read in wanted.items():
            rows = list(read)
            said = self.detectors[key].judge(soft[rows], tries.expand(len(rows)), decoded=list(read.values()))
            answers[key] += [replace(one, reading=row) for one, row in zip(said, rows, strict=True)]

    def _likeliest(self, soft: Tensor, count: int) -> list[tuple[int, int]]:
        """Up to ``count`` pairs of a reading and a key; all, where the code does not say which are likely."""
        readings = soft.ne(0).any(1).nonzero().flatten().tolist()
        every = [(reading, key) for reading in readings for key in range(len(self.detectors))]
        if len(every) <= count or not self.ranking.usable:
            return every
        return self.ranking.best(limited(soft).numpy(), count)

    def _any_certain(self, answers: dict[int, list[Answer]]) -> bool:
        return any(self.detectors[key].is_certain(one) for key, said in answers.items() for one in said)

    def _named(self, key: int, found: Detection) -> Detection:
        """The provider is who holds the key that proved the mark; what the payload says of it is not asked."""
        proven = found.is_marked and found.log10_p <= self.rate
        return replace(found, provider_id=self.providers[key] if proven else None)
