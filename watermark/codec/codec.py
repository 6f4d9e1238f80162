"""From payloads to channel bits and back from soft decisions, under a key."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from watermark.codec.certainty import cautious_scale
from watermark.codec.limiter import limited
from watermark.codec.pairing import paired_order
from watermark.codec.payload import Layout, Payload
from watermark.codec.polar import PolarCode, Weighed
from watermark.keys import Key, keyed_permutation, keyed_signs

_BATCH = 64  # words decoded at a time: bounds the memory


@dataclass(frozen=True)
class Decoded:
    """What the code made of the soft decisions of one image.

    Attributes:
        payload: what was read; None where no candidate had right check bits.
        corrected: how many hard channel decisions the candidate overrules.
        score: ``sum(l s) / ||l||`` of the candidate with the limited logits, which ``detection.null`` turns into a
            p-value; 0 where there is no evidence.
    """

    payload: Payload | None
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
        sync_key: shared by codecs that are read together: channel bits that it puts into one pair carry code bits half
            a code apart under every key, so that one product per pair serves all keys (``codec.ranking``). Which pair
            carries which code bits, and all signs, are the key's alone. None: nothing is shared.

    Raises:
        ValueError: if the layout does not fit in ``message_bits``.
    """

    def __init__(
        self,
        layout: Layout,
        message_bits: int,
        key: Key,
        list_size: int | None = None,
        *,
        sync_key: Key | None = None,
    ) -> None:
        if message_bits < layout.total_bits:
            needed = f"a payload of {layout.total_bits} bits does not fit in {message_bits} message bits"
            raise ValueError(f"{needed}; take a smaller layout")
        self.layout, self.message_bits, self._key = layout, message_bits, key
        if list_size is None:
            list_size = 128 if layout.check_bits >= 16 else 32
        self.code = PolarCode(layout.total_bits, message_bits, list_size, inverses=layout.check_bits > 0)
        self._order = (
            keyed_permutation(key, "codec interleaver", message_bits)
            if sync_key is None
            else paired_order(self.code.construction, key, sync_key)
        )
        self._flips = keyed_signs(key, "codec signs", message_bits) < 0

    def encode(self, payloads: Sequence[Payload]) -> Tensor:
        """``(N, K)`` bool messages, on the CPU.

        Raises:
            ValueError: naming the field and its range, if an ID does not fit the layout.
        """
        return torch.from_numpy(self._to_channel(self.code.encode(self.layout.pack(payloads, self._key))))

    def decode(self, logits: Tensor) -> list[Decoded]:
        """Read a batch of soft decisions.

        The answer is the likeliest candidate of the list whose check bits are right. How likely it is the one that was
        sent is another question: ``rivals``.

        Args:
            logits: ``(N, K)`` float on any device, any scale, ``> 0`` means 1. Logits that are not finite, or all
                zero, carry no information and decode to no payload.

        Raises:
            ValueError: if the shape does not fit.
        """
        if logits.ndim != 2 or logits.shape[1] != self.message_bits:
            raise ValueError(f"expected logits (N, {self.message_bits}), got {tuple(logits.shape)}")
        soft = limited(logits).numpy()
        return self._chosen(self._weigh(self.log_ratios(soft)).words, soft)

    def decode_with(self, others: Sequence["Codec"], logits: Tensor) -> list[Decoded]:
        """Like ``decode``, row ``i`` by codec ``i`` of ``others``: alike in all but their keys, they share one walk.

        Raises:
            ValueError: if one has another layout, length or list, or the shape does not fit.
        """
        kind = (self.layout, self.message_bits, self.code.list_size)
        if any((one.layout, one.message_bits, one.code.list_size) != kind for one in others):
            raise ValueError("expected codecs of one layout, length and list size, got different ones")
        if logits.shape != (len(others), self.message_bits):
            raise ValueError(f"expected logits {(len(others), self.message_bits)}, got {tuple(logits.shape)}")
        soft = limited(logits).numpy()[:, None]  # (N, 1, K)
        llr = [one.log_ratios(row) for one, row in zip(others, soft, strict=True)]
        words = self._weigh(np.concatenate(llr)).words if llr else ()
        return [one._chosen(said[None], row)[0] for one, said, row in zip(others, words, soft, strict=True)]

    def _chosen(self, words: np.ndarray, soft: np.ndarray) -> list[Decoded]:
        """Of candidates ``(N, L, total_bits)`` the likeliest with right check bits, for limited logits ``(N, K)``."""
        norm = np.sqrt((soft**2).sum(1))
        checked = self.layout.checks(words, self._key) & (norm > 0)[:, None]  # (N, L)
        best = words[np.arange(len(words)), checked.argmax(1)]  # likeliest with right check bits, else the likeliest
        channel = self._to_channel(self.code.encode(best))
        scores = (soft * np.where(channel, 1.0, -1.0)).sum(1) / np.where(norm > 0, norm, 1)
        corrected = (channel != (soft > 0)).sum(1)
        return [
            Decoded(
                payload=self.layout.unpack(best[i]) if ok else None,
                corrected=int(corrected[i]),
                score=float(scores[i]),
            )
            for i, ok in enumerate(checked.any(1).tolist())
        ]

    def rivals(self, logits: Tensor, payloads: Sequence[Payload]) -> tuple[np.ndarray, np.ndarray]:
        """Weigh each image's payload against every other valid word.

        Valid words of the decoder's list count with their likelihood; all words that are not on it with the likelihood
        of the paths that were dropped, times the chance that frozen and check bits come out right. The logits are
        brought to a scale fitted to the payload (``cautious_scale``).

        Args:
            logits: as in ``decode``, with information in every row.
            payloads: one per row.

        Returns:
            ``(N,)`` log of the odds that another word was sent, natural, all words being equally likely beforehand;
            and ``(N,)`` the log-likelihood ratio of a bit per unit of its limited logit.
        """
        soft = limited(logits).numpy()
        words = self.layout.pack(payloads, self._key)
        scale = cautious_scale(soft * np.where(self._to_channel(self.code.encode(words)), 1.0, -1.0))
        llr = self.log_ratios(soft, scale[:, None])
        listed, metrics, rest = self._weigh(llr)
        strangers = self.layout.checks(listed, self._key) & (listed != words[:, None]).any(-1)  # (N, L)
        others = np.logaddexp.reduce(np.where(strangers, -metrics.astype(np.float64), -np.inf), axis=1)
        others = np.logaddexp(others, rest - self.layout.check_bits * np.log(2))
        own = self.code.log_probability(llr, words)
        return others - own, scale

    def _weigh(self, llr: np.ndarray) -> Weighed:
        parts = [self.code.weigh(llr[i : i + _BATCH]) for i in range(0, max(len(llr), 1), _BATCH)]
        return Weighed(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def _to_channel(self, words: np.ndarray) -> np.ndarray:
        return words[:, self._order] ^ self._flips

    @property
    def design_scale(self) -> float:
        """As if the mark were just strong enough: where the scale matters most."""
        snr = 2 * self.code.construction.design_snr  # per real dimension
        return 2 * (snr * (1 + snr)) ** 0.5  # 2 A / sigma^2 with A^2 + sigma^2 = 1 and A^2 / sigma^2 = snr

    @property
    def places(self) -> np.ndarray:
        """``(K,)``: the channel bit that carries each code bit."""
        return np.argsort(self._order)

    @property
    def flips(self) -> np.ndarray:
        """``(K,)`` bool: which code bits are sent turned over."""
        return self._flips[self.places]

    def log_ratios(self, soft: np.ndarray, scale: float | np.ndarray | None = None) -> np.ndarray:
        """Log P(0)/P(1) per code bit ``(N, K)`` from limited logits and their scale; None: that of a faint mark."""
        llr = np.empty(soft.shape, dtype=np.float32)
        llr[:, self._order] = np.where(self._flips, soft, -soft) * (self.design_scale if scale is None else scale)
        return llr
