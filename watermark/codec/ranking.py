"""Which of a thousand keys may have made this mark? What the frozen bits say, before any key is decoded.

List decoding takes milliseconds a key. The first three quarters of a polar code of low rate hold only a few
information bits, all of them of the version and the provider: decoding these three quarters alone says how well a key
fits. The first half costs one product per pair of channel bits and a matrix product for all keys together
(``codec.pairing``); the third quarter is looked at where that leaves hope.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from watermark.codec.codec import Codec
from watermark.codec.pairing import code_pairs
from watermark.codec.payload import Payload
from watermark.codec.polar import transform

Floats = NDArray[np.float64]

MAX_UNKNOWN = 7
"""Early information bits up to which every value of them is looked at, not only the provider's own ID."""
HOPEFUL = 1024
"""Pairs of reading and key whose third quarter is looked at."""
CHUNK = 2048
"""Keys that are looked at together: bounds the memory."""


class Ranking:
    """Order pairs of readings and keys by how likely they are, in one pass over all of them.

    Args:
        codecs: one per key, built with one ``sync_key`` (or a single one, built without).
        provider_ids: which ID each key is expected to have written. Others are found too, if they stand out more, as
            long as there are at most ``MAX_UNKNOWN`` early information bits.

    Raises:
        ValueError: if the codecs do not share their pairs, or an ID does not fit the layout.
    """

    def __init__(self, codecs: Sequence[Codec], provider_ids: Sequence[int]) -> None:
        first = codecs[0]
        code, layout = first.code.construction, first.layout
        self._mother = len(code.information)
        half, quarter = self._mother // 2, self._mother // 4
        early = int(code.information[: half + quarter].sum())  # information bits, the first of the payload
        together = code_pairs(code)
        self.usable = len(together) > 0 and early <= layout.version_bits + layout.provider_bits
        """Whether the code has such a part at all; if not, every key has to be decoded."""
        if not self.usable:
            return
        own = layout.pack([Payload(provider, 0) for provider in provider_ids], 0)[:, :early]  # (K, early)
        guesses = np.array(list(product([False, True], repeat=early)) if early <= MAX_UNKNOWN else [], dtype=bool)
        inputs = np.zeros((len(own) + len(guesses), self._mother), dtype=bool)
        inputs[:, np.flatnonzero(code.information)[:early]] = np.concatenate([own, guesses.reshape(-1, early)])
        halves, quarters = transform(inputs[:, :half]), transform(inputs[:, half : half + quarter])
        self._halves, which = np.unique(halves, axis=0, return_inverse=True)
        self._quarters, third = np.unique(quarters, axis=0, return_inverse=True)
        self._own_half, self._own_quarter = which.ravel()[: len(own)], third.ravel()[: len(own)]
        self._open = len(guesses) > 0
        self._scale, self._sends = first.design_scale, code.sends
        self._places = np.stack([codec.places for codec in codecs])  # (K, N)
        self._signs = np.where(np.stack([codec.flips for codec in codecs]), 1, -1).astype(np.int8)
        self._pairs = first.places[together]  # (P, 2) channel bits
        self._weigh_pairs(together, code.sends[together[:, 0]])

    def _weigh_pairs(self, together: np.ndarray, residues: np.ndarray) -> None:
        """The signs ``(K, A, P)`` with which the products of the pairs add up, and ``(K, A)`` how likely each A is."""
        pair_of = np.full(self._places.shape[1], -1)
        pair_of[self._pairs] = np.arange(len(self._pairs))[:, None]
        carried, other = (pair_of[self._places[:, together[:, i]]] for i in (0, 1))  # (K, P)
        if (carried != other).any():
            raise ValueError("expected codecs of one sync_key, got keys that pair channel bits differently")
        flips = self._signs[:, together[:, 0]] * self._signs[:, together[:, 1]]  # (K, P)
        words = self._halves[:, residues] if self._open else self._halves[self._own_half][:, None, residues]
        signs = flips[:, None] * np.where(words, -1, 1).astype(np.int8)  # (K, A, P)
        self._pair_signs = np.empty_like(signs)
        np.put_along_axis(self._pair_signs, np.broadcast_to(carried[:, None], signs.shape), signs, axis=2)
        self._half_prior = np.zeros(signs.shape[:2])
        if self._open:
            own = np.arange(signs.shape[1]) == self._own_half[:, None]
            self._half_prior = np.log(np.where(own, 0.5, 0.0) + 0.5 / signs.shape[1])

    def best(self, soft: Floats, count: int) -> list[tuple[int, int]]:
        """The likeliest pairs of a reading and a key, the best first.

        Args:
            soft: ``(R, K)`` limited logits of one picture.
            count: how many pairs at most.

        Returns:
            Up to ``count`` pairs: which row of ``soft``, and which key.
        """
        keys = len(self._places) if self.usable else 0
        readings = np.flatnonzero((soft != 0).any(1))
        bits = np.tanh(soft * (self._scale / 2))
        together = bits[:, self._pairs[:, 0]] * bits[:, self._pairs[:, 1]]  # (R, P)
        even, odds = _split(together)
        hopeful: list[tuple[Floats, np.ndarray]] = []
        for start in range(0, keys, CHUNK):
            signs = self._pair_signs[start : start + CHUNK].astype(np.float32)
            fits = (odds[readings].astype(np.float32) @ signs.reshape(-1, signs.shape[2]).T).astype(np.float64)
            fits = fits.reshape(len(readings), *signs.shape[:2]) + self._half_prior[start : start + CHUNK]
            fits += even[readings, None, None]
            top = np.argpartition(-fits, min(HOPEFUL, fits.size) - 1, axis=None)[:HOPEFUL]
            row, key, half = np.unravel_index(top, fits.shape)
            hopeful.append((fits.ravel()[top], np.stack([readings[row], key + start, half], 1)))
        fits, triples = (np.concatenate(part) for part in zip(*hopeful, strict=True))
        kept = np.argsort(-fits, kind="stable")[:HOPEFUL]
        return _distinct(fits[kept] + self._third_quarter(soft, triples[kept]), triples[kept], count)

    def _third_quarter(self, soft: Floats, triples: np.ndarray) -> Floats:
        """What the quarter after the first half adds ``(M,)`` where that half holds what each triple says."""
        row, key, half = triples.T
        code = np.zeros((len(triples), self._mother), dtype=np.float32)
        code[:, self._sends] = (soft * self._scale).astype(np.float32)[row[:, None], self._places[key]] * self._signs[
            key
        ]
        lower, upper = np.split(code, 2, axis=1)
        words = self._halves[half if self._open else self._own_half[key]]
        bits = np.tanh((upper + np.where(words, -lower, lower)) / 2)
        even, odds = _split(np.multiply(*np.split(bits, 2, axis=1)))
        every = even[:, None] + odds @ np.where(self._quarters, -1, 1).astype(np.float32).T  # (M, C)
        own = every[np.arange(len(key)), self._own_quarter[key]]
        if not self._open:
            return own
        others = every.max(1) - np.log(2 * len(self._quarters))
        return np.where(half == self._own_half[key], np.maximum(own - np.log(2), others), others)


def _split(agreement: Floats) -> tuple[Floats, Floats]:
    """Log likelihoods ``even + sum(sign * odds)`` of two bits' exclusive or, for the product of their certainties."""
    agreement = np.clip(agreement, -1 + 1e-6, 1 - 1e-6)
    return np.log1p(-(agreement**2)).sum(1) / 2, np.arctanh(agreement)


def _distinct(scores: Floats, triples: np.ndarray, count: int) -> list[tuple[int, int]]:
    """The best ``count`` pairs of reading and key, each once."""
    order = np.argsort(-scores, kind="stable")
    pairs = dict.fromkeys((int(triples[i, 0]), int(triples[i, 1])) for i in order)
    return list(pairs)[:count]
