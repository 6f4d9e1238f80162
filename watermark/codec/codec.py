"""From payloads to channel bits and back from soft decisions, under a key."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from watermark.codec.limiter import limited
from watermark.codec.payload import Layout, Payload
from watermark.codec.polar import PolarCode
from watermark.keys import Key, keyed_permutation, keyed_signs

_BATCH = 64  # words decoded at a time: bounds the memory


@dataclass(frozen=True, eq=False)
class Decoded:
    """What the code made of the soft decisions of one image.

    Attributes:
        payload: what was read; None where no candidate had right check bits.
        codeword: ``(K,)`` bool on the CPU, the channel message of the candidate, to be compared with the logits.
        check_ok: whether the check bits agree.
        corrected: how many hard channel decisions the candidate overrules.
        score: ``sum(l s) / ||l||`` of the candidate with the limited logits, which ``detection.null`` turns into a
            p-value; 0 where there is no evidence.
    """

    payload: Payload | None
    codeword: Tensor
    check_ok: bool
    corrected: int
    score: float


class Codec:
    """Payload to message bits and back: check bits, polar code, keyed interleaving and keyed signs.

    The signs are what the proof of a mark rests on: who does not hold the key sees (and a scheme transports) uniformly
    random bits, so logits of anything that was not marked with this key are independent of them. The interleaver
    spreads local damage over the code word.

    Args:
        layout: fields of the payload.
        message_bits: K, what the scheme carries; at least ``layout.total_bits``.
        key: the secret of this codec; a scheme must never see it.
        list_size: candidates of the list decoder; None: 32, or 128 where 16 check bits or more choose among them (with
            fewer, more candidates are as often wrong ones).

    Raises:
        ValueError: if the layout does not fit in ``message_bits``.
    """

    def __init__(self, layout: Layout, message_bits: int, key: Key, list_size: int | None = None) -> None:
        if message_bits < layout.total_bits:
            raise ValueError(f"a payload of {layout.total_bits} bits does not fit in {message_bits} message bits")
        self.layout, self.message_bits, self._key = layout, message_bits, key
        if list_size is None:
            list_size = 128 if layout.check_bits >= 16 else 32
        self.code = PolarCode(layout.total_bits, message_bits, list_size)
        self._order = keyed_permutation(key, "codec interleaver", message_bits)
        self._flips = keyed_signs(key, "codec signs", message_bits) < 0

    def encode(self, payloads: Sequence[Payload]) -> Tensor:
        """``(N, K)`` bool messages, on the CPU.

        Raises:
            ValueError: naming the field and its range, if an ID does not fit the layout.
        """
        return torch.from_numpy(self._to_channel(self.code.encode(self.layout.pack(payloads, self._key))))

    def decode(self, logits: Tensor) -> list[Decoded]:
        """Read a batch of soft decisions.

        The answer is the likeliest candidate of the list whose check bits are right. One that the others leave less
        than ``2 ** -check_bits`` of the likelihood is not taken: its check bits are as likely right by chance, and it
        would name somebody else.

        Args:
            logits: ``(N, K)`` float on any device, any scale, ``> 0`` means 1. Logits that are not finite, or all
                zero, carry no information and decode to no payload.

        Raises:
            ValueError: if the shape does not fit.
        """
        if logits.ndim != 2 or logits.shape[1] != self.message_bits:
            raise ValueError(f"expected logits (N, {self.message_bits}), got {tuple(logits.shape)}")
        soft = limited(logits).numpy()
        norm = np.sqrt((soft**2).sum(1))
        llr = self._llr(soft)
        parts = [self.code.decode(llr[i : i + _BATCH]) for i in range(0, max(len(llr), 1), _BATCH)]
        words, metrics = (np.concatenate(part) for part in zip(*parts, strict=True))  # (N, L, total_bits), (N, L)
        likely = _shares(metrics) >= 2.0**-self.layout.check_bits
        checked = self.layout.checks(words, self._key) & likely & (norm > 0)[:, None]  # (N, L)
        best = words[np.arange(len(words)), checked.argmax(1)]  # likeliest with right check bits, else the likeliest
        channel = self._to_channel(self.code.encode(best))
        scores = (soft * np.where(channel, 1.0, -1.0)).sum(1) / np.where(norm > 0, norm, 1)
        corrected = (channel != (soft > 0)).sum(1)
        return [
            Decoded(
                payload=self.layout.unpack(best[i]) if ok else None,
                codeword=torch.from_numpy(channel[i]),
                check_ok=ok,
                corrected=int(corrected[i]),
                score=float(scores[i]),
            )
            for i, ok in enumerate(checked.any(1).tolist())
        ]

    def _to_channel(self, words: np.ndarray) -> np.ndarray:
        return words[:, self._order] ^ self._flips

    def _llr(self, soft: np.ndarray) -> np.ndarray:
        """Log P(0)/P(1) per code bit, as if the mark were just strong enough: where the scale matters most."""
        snr = 2 * self.code.construction.design_snr  # per real dimension
        scale = 2 * (snr * (1 + snr)) ** 0.5  # 2 A / sigma^2 with A^2 + sigma^2 = 1 and A^2 / sigma^2 = snr
        llr = np.empty(soft.shape, dtype=np.float32)
        llr[:, self._order] = np.where(self._flips, soft, -soft) * scale
        return llr


def _shares(metrics: np.ndarray) -> np.ndarray:
    """The share of each candidate in the likelihood of its list, from path metrics ``(N, L)``."""
    weights = np.exp(metrics.min(1, keepdims=True) - metrics)
    return weights / weights.sum(1, keepdims=True)
