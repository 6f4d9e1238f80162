"""The decision: is this picture marked, by whom, and how sure is that after paying for everything that was tried."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from watermark.codec.codec import Codec
from watermark.codec.limiter import limited
from watermark.codec.payload import CURRENT_VERSION, Payload
from watermark.detection.null import correlation_score, log10_p_value, log10_tail, pay_for

_log = logging.getLogger(__name__)
_CHUNK = 16_384  # registry words encoded at a time


class SoftRead(Protocol):
    """What a scheme hands over (``watermark.schemes.base.Readout``): logits ``(N, K)`` and hypotheses ``(N,)``."""

    @property
    def logits(self) -> Tensor:
        """``(N, K)`` float."""
        ...

    @property
    def hypotheses(self) -> Tensor:
        """``(N,)`` int64, readings among which the answer is chosen."""
        ...

    @property
    def others(self) -> Tensor | None:
        """``(N, C, K)`` float or None: readings at further alignments, counted in ``hypotheses``."""
        ...


@dataclass(frozen=True)
class Detection:
    """The answer for one image.

    Attributes:
        is_marked: ``log10_p`` is at or below the promised false-positive rate.
        log10_p: p-value after paying for code words, readings and keys; 0 where no valid word was found.
        provider_id: who; None if not marked.
        content_id: what; None if not marked.
        version: format of the payload; None if not marked.
        hypotheses: readings of the message among which the answer was chosen.
        corrected: channel bits that the code corrected in the word behind ``log10_p``.
        score: normalised soft correlation ``S`` of that word (also where its check bits were wrong); for ranking only.
        log10_p_expected: p-value of the expected payload alone (readings and keys paid); None if none was expected.
        reading: which reading this answer comes from: 0 for ``logits``, 1 and up for ``others``.

    Example:
        >>> import torch
        >>> from watermark import Watermarker
        >>> found = Watermarker.load("dwt_dct", key="a secret").detect(torch.rand(1, 3, 64, 64))[0]
        >>> found.is_marked, found.provider_id, found.content_id
        (False, None, None)
    """

    is_marked: bool
    log10_p: float
    provider_id: int | None
    content_id: int | None
    version: int | None
    hypotheses: int
    corrected: int
    score: float
    log10_p_expected: float | None = None
    reading: int = 0


class Detector:
    """Decide at a false-positive rate that holds by construction (see ``detection.null``).

    Args:
        codec: holds the key.
        false_positive_rate: promised chance, over keys, that any one picture without this key's mark is called
            marked; in ``(0, 1)``.
    """

    def __init__(self, codec: Codec, false_positive_rate: float = 1e-6) -> None:
        if not 0 < false_positive_rate < 1:
            raise ValueError(f"false_positive_rate must be in (0, 1), got {false_positive_rate}")
        self.codec, self.false_positive_rate = codec, false_positive_rate
        words = codec.layout.log10_words(CURRENT_VERSION)
        if words - codec.message_bits * math.log10(2) > math.log10(false_positive_rate):
            _log.warning(
                "%d message bits are too few to prove one of 10^%.1f payloads at a false-positive rate of %g: "
                "use a smaller layout, a registry, or a scheme of more bits",
                codec.message_bits,
                words,
                false_positive_rate,
            )

    def detect(
        self,
        readout: SoftRead,
        expected: Sequence[Payload] | None = None,
        candidate_keys: int = 1,
        registry: Sequence[Payload] | None = None,
    ) -> list[Detection]:
        """One answer per image.

        Without a registry the code is decoded and any of its valid words may be the answer: check bits follow from the
        rest, so only the free bits are paid for (``Layout.log10_words``); any version is accepted. A word with wrong
        check bits is not valid: then nothing was found, whatever its score, and ``log10_p`` is 0.
        With a registry the answer is the registered word of the highest soft correlation and only those words are paid
        for, so far weaker marks are recognised. A picture that reads as a valid word outside of the registry gives no
        answer: code words of near IDs resemble each other, and to name the nearest one would be a false accusation.
        Where the scheme's first reading proves nothing, its other readings are asked, and the strongest answer counts;
        the p-value pays for all of them in any case.

        Args:
            readout: what the scheme read.
            expected: one payload per image, to verify also that one alone (``log10_p_expected``).
            candidate_keys: how many keys the caller tries on these images; the p-value pays for all of them.
            registry: the only payloads that can be the answer, each once.

        Raises:
            ValueError: if a length does not fit.
        """
        if candidate_keys < 1 or (registry is not None and not registry):
            raise ValueError("expected at least one candidate key and, if a registry is given, one payload in it")
        if expected is not None and len(expected) != len(readout.logits):
            raise ValueError(f"expected one payload per image ({len(readout.logits)}), got {len(expected)}")
        hypotheses = readout.hypotheses.detach().cpu()
        found = self._judge(readout.logits, hypotheses, expected, candidate_keys, registry)
        doubtful = [i for i, answer in enumerate(found) if not answer.is_marked]
        if readout.others is not None and doubtful:
            others = readout.others[doubtful]
            count = others.shape[1]
            rows = [i for i in doubtful for _ in range(count)]
            wanted = [expected[i] for i in rows] if expected is not None else None
            more = self._judge(others.flatten(0, 1), hypotheses[rows], wanted, candidate_keys, registry)
            for place, i in enumerate(doubtful):
                again = [replace(answer, reading=1 + c) for c, answer in enumerate(more[place * count :][:count])]
                found[i] = min([found[i], *again], key=_strength)
        return found

    def _judge(
        self,
        readings: Tensor,
        hypotheses: Tensor,
        expected: Sequence[Payload] | None,
        candidate_keys: int,
        registry: Sequence[Payload] | None,
    ) -> list[Detection]:
        """One answer per reading ``(M, K)``; see ``detect``."""
        logits = limited(readings)
        tries = hypotheses.double().clamp_min(1).log10() + math.log10(candidate_keys)  # (M,)
        alone = None
        if expected is not None:
            alone = pay_for(log10_p_value(logits, self.codec.encode(expected)), tries).tolist()
        if registry is None:
            found = self._decode(readings)
        else:
            found = self._without_strangers(logits, self._identify(logits, registry), registry)
        words = torch.tensor([self._log10_words(payload, registry) for payload, _, _ in found], dtype=torch.float64)
        scores = torch.tensor([score for _, score, _ in found], dtype=torch.float64)
        p = pay_for(log10_tail(scores, logits), tries + words)
        return [
            self._answer(payload, float(p[i]), score, corrected, int(hypotheses[i]), alone[i] if alone else None)
            for i, (payload, score, corrected) in enumerate(found)
        ]

    def _log10_words(self, payload: Payload | None, registry: Sequence[Payload] | None) -> float:
        if registry is not None:
            return math.log10(len(registry))
        return self.codec.layout.log10_words(payload.version) if payload else 0.0  # without a payload p is 1 anyway

    def _answer(
        self,
        payload: Payload | None,
        log10_p: float,
        score: float,
        corrected: int,
        hypotheses: int,
        log10_p_expected: float | None,
    ) -> Detection:
        log10_p = 0.0 if payload is None else log10_p
        is_marked = log10_p <= math.log10(self.false_positive_rate)
        named = payload if is_marked else None
        return Detection(
            is_marked=is_marked,
            log10_p=log10_p,
            provider_id=named.provider_id if named else None,
            content_id=named.content_id if named else None,
            version=named.version if named else None,
            hypotheses=hypotheses,
            corrected=corrected,
            score=score,
            log10_p_expected=log10_p_expected,
        )

    def _decode(self, logits: Tensor) -> list[tuple[Payload | None, float, int]]:
        return [(decoded.payload, decoded.score, decoded.corrected) for decoded in self.codec.decode(logits)]

    def _without_strangers(
        self, logits: Tensor, identified: list[tuple[Payload | None, float, int]], registry: Sequence[Payload]
    ) -> list[tuple[Payload | None, float, int]]:
        """Take the name away where the code reads a valid word outside of the registry that fits better."""
        known = set(registry)
        return [
            (None if read is not None and read not in known and read_score > score else payload, score, corrected)
            for (payload, score, corrected), (read, read_score, _) in zip(identified, self._decode(logits), strict=True)
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


def _strength(answer: Detection) -> tuple[float, float, float]:
    """Sorts the answers to several readings of one picture, the strongest first."""
    expected = 0.0 if answer.log10_p_expected is None else answer.log10_p_expected
    return answer.log10_p, expected, -answer.score
