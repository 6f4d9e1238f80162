"""The decision: is this picture marked, by whom, and how sure is that after paying for everything that was tried."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from watermark.codec.codec import Codec, Decoded
from watermark.codec.limiter import limited
from watermark.codec.payload import CURRENT_VERSION, Payload
from watermark.detection.answer import Detection
from watermark.detection.null import correlation_score, log10_p_value, log10_tail, pay_for

_log = logging.getLogger(__name__)
MISATTRIBUTION_RATE = 1e-4
"""Promised by default: ``results/published/names`` has the numbers that it was chosen by."""
_MOST_RATE = 0.9  # payload bits a message bit; beyond it a few noisy bits are too many
_NEVER = 1e-300  # what a floating-point number can say of the least doubt
_CHUNK = 16_384  # registry words encoded at a time


class SoftRead(Protocol):
    """What a scheme hands over (``watermark.schemes.base.Readout``): logits ``(N, K)`` and readings ``(N,)``."""

    @property
    def logits(self) -> Tensor:
        """``(N, K)`` float."""
        ...

    @property
    def readings(self) -> Tensor:
        """``(N,)`` int64, readings among which the answer is chosen."""
        ...

    @property
    def others(self) -> Tensor | None:
        """``(N, C, K)`` float or None: readings at further alignments, counted in ``readings``."""
        ...


@dataclass(frozen=True)
class Answer:
    """What one reading says; ``log10_doubt`` (chance that the payload is not what was sent) only where marked."""

    payload: Payload | None
    log10_p: float
    score: float
    corrected: int
    log10_p_expected: float | None
    log10_doubt: float | None = None
    reading: int = 0

    @property
    def strength(self) -> tuple[float, float, float]:
        """Sorts the answers to several readings of one picture, the strongest first."""
        return self.log10_p, self.log10_p_expected or 0.0, -self.score


class Detector:
    """Two decisions, each at its own promised rate: is there a mark of this key, and whose ID is it.

    The first holds by construction (see ``detection.null``). The second is a posterior: the chance that another word
    than the one found was sent, from the likelihood of all valid words (``Codec.rivals``), plus the p-value, plus what
    readings that disagree leave. ``detection.measure`` holds it against what was sent.

    Args:
        codec: holds the key.
        false_positive_rate: promised chance, over keys, that any one picture without this key's mark is called
            marked; in ``(0, 1)``.
        misattribution_rate: promised chance that a marked picture is given an ID that is not its own; IDs less certain
            are not named; in ``(0, 1]``, 1 names the likeliest in any case (to measure, never to accuse).
        keys: of how many keys, this one among them, any may be the answer; the p-value pays for all.
    """

    def __init__(
        self,
        codec: Codec,
        false_positive_rate: float = 1e-6,
        misattribution_rate: float = MISATTRIBUTION_RATE,
        *,
        keys: int = 1,
    ) -> None:
        if not 0 < false_positive_rate < 1:
            raise ValueError(f"false_positive_rate must be in (0, 1), got {false_positive_rate}")
        if not 0 < misattribution_rate <= 1:
            raise ValueError(f"misattribution_rate must be in (0, 1], got {misattribution_rate}")
        self.codec, self.false_positive_rate = codec, false_positive_rate
        self.misattribution_rate, self.log10_keys = misattribution_rate, math.log10(keys)
        words = codec.layout.log10_words(CURRENT_VERSION)
        if words + self.log10_keys - codec.message_bits * math.log10(2) > math.log10(false_positive_rate):
            _log.warning(
                "%d message bits are too few to prove one of 10^%.1f payloads at a false-positive rate of %g: "
                "use a smaller layout, a registry, or a scheme of more bits",
                codec.message_bits,
                words,
                false_positive_rate,
            )
        elif codec.layout.total_bits > _MOST_RATE * codec.message_bits:
            _log.warning(
                "%d message bits leave no room to correct a payload of %d: use a smaller layout, or a scheme of "
                "more bits (message_bits=N, where it is one of its settings)",
                codec.message_bits,
                codec.layout.total_bits,
            )

    def detect(
        self,
        readout: SoftRead,
        expected: Sequence[Payload] | None = None,
        registry: Sequence[Payload] | None = None,
    ) -> list[Detection]:
        """One answer per image.

        Without a registry the code is decoded and any of its valid words may be the answer: check bits follow from the
        rest, so only the free bits are paid for (``Layout.log10_words``); any version is accepted. A word with wrong
        check bits is not valid: then nothing was found, whatever its score, and ``log10_p`` is 0. A mark is proven
        before its ID is: just under the threshold other valid words fit nearly as well, and none is named.
        With a registry the answer is the registered word of the highest soft correlation and only those words are paid
        for, so far weaker marks are recognised. A picture that reads as a valid word outside of the registry gives no
        answer: code words of near IDs resemble each other, and to name the nearest one would be a false accusation.
        Half of the belief goes to its words, half to all others: that is what a name has to be certain against.
        Where the scheme's first reading leaves the mark or the name in doubt, its other readings are asked, and the
        strongest answer counts; the p-value pays for all of them in any case, the name for those that were proven.

        Args:
            readout: what the scheme read.
            expected: one payload per image, to verify also that one alone (``log10_p_expected``).
            registry: the only payloads that can be the answer, each once.

        Raises:
            ValueError: if a length does not fit.
        """
        if registry is not None and not registry:
            raise ValueError("expected at least one payload in the registry, got none")
        if expected is not None and len(expected) != len(readout.logits):
            raise ValueError(f"expected one payload per image ({len(readout.logits)}), got {len(expected)}")
        readings = readout.readings.detach().cpu()
        answers = [[a] for a in self.judge(readout.logits, readings, expected, registry)]
        doubtful = [i for i, (answer,) in enumerate(answers) if not self.is_certain(answer)]
        if readout.others is not None and doubtful:
            there = readout.others[doubtful].ne(0).any(2).nonzero().tolist()  # the others of these are none
            rows = [(doubtful[row], column) for row, column in there]
            wanted = [expected[i] for i, _ in rows] if expected is not None else None
            images, columns = [i for i, _ in rows], [column for _, column in rows]
            more = self.judge(readout.others[images, columns], readings[images], wanted, registry) if rows else []
            for (i, column), answer in zip(rows, more, strict=True):
                answers[i].append(replace(answer, reading=1 + column))
        return [self.conclude(said, int(tries)) for said, tries in zip(answers, readings, strict=True)]

    def judge(
        self,
        soft: Tensor,
        readings: Tensor,
        expected: Sequence[Payload] | None = None,
        registry: Sequence[Payload] | None = None,
        decoded: Sequence[Decoded] | None = None,
    ) -> list[Answer]:
        """One answer per soft read ``(M, K)``, each one of ``(M,)`` readings; see ``detect``.

        ``decoded`` is what the code makes of them, where that is known already.
        """
        logits = limited(soft)
        tries = readings.double().clamp_min(1).log10() + self.log10_keys  # (M,)
        alone: list[float | None] = [None] * len(logits)
        if expected is not None:
            alone = pay_for(log10_p_value(logits, self.codec.encode(expected)), tries).tolist()
        if registry is None:
            found = _told(decoded or self.codec.decode(soft))
        else:
            found = self._without_strangers(logits, self._identify(logits, registry), registry)
        words = torch.tensor([self._log10_words(payload, registry) for payload, _, _ in found], dtype=torch.float64)
        scores = torch.tensor([score for _, score, _ in found], dtype=torch.float64)
        p = torch.zeros(len(found), dtype=torch.float64)  # where nothing was found, 1
        rows = [i for i, (payload, _, _) in enumerate(found) if payload is not None]
        if rows:
            p[rows] = pay_for(log10_tail(scores[rows], logits[rows]), (tries + words)[rows])
        answers = [
            Answer(payload, log10_p, score, corrected, each)
            for (payload, score, corrected), log10_p, each in zip(found, p.tolist(), alone, strict=True)
        ]
        return self._doubted(answers, logits, registry)

    def _doubted(self, answers: list[Answer], logits: Tensor, registry: Sequence[Payload] | None) -> list[Answer]:
        """The same answers, those that prove a mark with the chance that another word was sent."""
        proven = {i: answer.payload for i, answer in enumerate(answers) if answer.payload and self._is_mark(answer)}
        if not proven:
            return answers
        payloads = list(proven.values())
        log_odds, scale = self.codec.rivals(logits[list(proven)], payloads)
        if registry is not None:
            log_odds += math.log(len(registry)) - self.codec.layout.free_bits * math.log(2)
            log_odds = np.logaddexp(log_odds, self._registered_rivals(logits[list(proven)], payloads, scale, registry))
        doubts = (log_odds - np.logaddexp(0, log_odds)) / math.log(10)
        told = dict(zip(proven, doubts.tolist(), strict=True))
        return [replace(answer, log10_doubt=told.get(i)) for i, answer in enumerate(answers)]

    def _is_mark(self, answer: Answer) -> bool:
        return answer.log10_p <= math.log10(self.false_positive_rate)

    def is_certain(self, answer: Answer) -> bool:
        """Whether its payload may be named."""
        return answer.log10_doubt is not None and answer.log10_doubt <= math.log10(self.misattribution_rate)

    def conclude(self, answers: list[Answer], readings: int) -> Detection:
        """The strongest answer to the readings of one picture, and its name if it is certain enough."""
        best = min(answers, key=lambda answer: answer.strength)
        seen = Detection(
            is_marked=best.log10_doubt is not None,
            log10_p=best.log10_p,
            readings=readings,
            corrected=best.corrected,
            log10_p_expected=best.log10_p_expected,
            reading=best.reading,
        )
        if best.log10_doubt is None or best.payload is None:
            return seen
        proven = [answer for answer in answers if answer.log10_doubt is not None]
        others = sum(10 ** (best.log10_p - answer.log10_p) for answer in proven if answer.payload != best.payload)
        faint = len(proven) * 10**best.log10_doubt + 10**best.log10_p
        doubt = min(max(others + faint, _NEVER), 1.0)
        seen = replace(seen, log10_doubt=math.log10(doubt))
        if doubt > self.misattribution_rate:
            return replace(seen, name_uncertain=self._excuse(doubt, readings_disagree=others > faint))
        named = best.payload
        return replace(seen, provider_id=named.provider_id, content_id=named.content_id, version=named.version)

    def _excuse(self, doubt: float, readings_disagree: bool) -> str:
        what = "readings of the picture disagree on the ID" if readings_disagree else "too faint to say whose ID"
        return f"{what} (chance of a wrong one {doubt:.1g}, promised at most {self.misattribution_rate:g})"

    def _log10_words(self, payload: Payload | None, registry: Sequence[Payload] | None) -> float:
        if registry is not None:
            return math.log10(len(registry))
        return self.codec.layout.log10_words(payload.version) if payload else 0.0  # without a payload p is 1 anyway

    def _without_strangers(
        self, logits: Tensor, identified: list[tuple[Payload | None, float, int]], registry: Sequence[Payload]
    ) -> list[tuple[Payload | None, float, int]]:
        """Take the name away where the code reads a valid word outside of the registry that fits better."""
        known = set(registry)
        return [
            (None if read is not None and read not in known and read_score > score else payload, score, corrected)
            for (payload, score, corrected), (read, read_score, _) in zip(
                identified, _told(self.codec.decode(logits)), strict=True
            )
        ]

    def _identify(self, logits: Tensor, registry: Sequence[Payload]) -> list[tuple[Payload | None, float, int]]:
        """The registered payload of the highest soft correlation, per image."""
        best = torch.full((len(logits),), -torch.inf, dtype=torch.float64)
        index = torch.zeros(len(logits), dtype=torch.int64)
        soft = logits.float()
        for start in range(0, len(registry), _CHUNK):
            signs = self.codec.encode(registry[start : start + _CHUNK]).float() * 2 - 1  # (M, K)
            values, place = (soft @ signs.T).double().max(1)
            index = torch.where(values > best, place + start, index)
            best = torch.maximum(best, values)
        payloads = [registry[i] for i in index.tolist()]
        words = self.codec.encode(payloads)
        scores = correlation_score(logits, words).tolist()
        corrected = ((logits > 0) != words).sum(1).tolist()
        return list(zip(payloads, scores, corrected, strict=True))

    def _registered_rivals(
        self, logits: Tensor, payloads: Sequence[Payload], scale: np.ndarray, registry: Sequence[Payload]
    ) -> np.ndarray:
        """``(N,)`` log of the odds that another registered word was sent than ``payloads``, at this scale."""
        place = {payload: i for i, payload in enumerate(registry)}
        soft = (logits * torch.from_numpy(scale)[:, None] / 2).float()
        own = (soft * (self.codec.encode(payloads).float() * 2 - 1)).sum(1, keepdim=True)
        found = torch.full((len(soft),), -torch.inf, dtype=torch.float64)
        for start in range(0, len(registry), _CHUNK):
            signs = self.codec.encode(registry[start : start + _CHUNK]).float() * 2 - 1  # (M, K)
            ahead = (soft @ signs.T - own).double()  # (N, M)
            for row, payload in enumerate(payloads):
                if 0 <= place[payload] - start < len(signs):
                    ahead[row, place[payload] - start] = -torch.inf
            found = torch.logaddexp(found, ahead.logsumexp(1))
        return found.numpy()


def _told(decoded: Sequence[Decoded]) -> list[tuple[Payload | None, float, int]]:
    return [(one.payload, one.score, one.corrected) for one in decoded]
