"""Code bits half a code apart ride on pairs of channel bits that many keys share: what one read tells all of them.

A polar code of low rate is nearly a repetition: its first half ``a`` holds so few information bits that the channel
bits ``(a + b, b)`` say ``b`` twice. Where keys agree on which channel bits belong together, the product of the two is
the same for all keys but for a sign, and costs a thousand keys what it costs one.
"""

import numpy as np

from watermark.codec.construction import Construction
from watermark.keys import Key, keyed_permutation


def code_pairs(code: Construction) -> np.ndarray:
    """``(P, 2)`` int64: code bits that are sent once each and stand half a code apart, the earlier first."""
    mother, sent = len(code.information), len(code.sends)
    if sent > mother or code.certain.any():  # sent more than once, or known beforehand
        return np.empty((0, 2), dtype=np.int64)
    place = np.full(mother, -1)
    place[code.sends] = np.arange(sent)
    both = place.reshape(2, -1).T
    return both[(both >= 0).all(1)]


def channel_pairs(count: int, message_bits: int, sync_key: Key) -> tuple[np.ndarray, np.ndarray]:
    """Channel bits: ``(count, 2)`` of them in pairs, and the rest."""
    places = keyed_permutation(sync_key, "codec pairs", message_bits)
    return places[: 2 * count].reshape(-1, 2), places[2 * count :]


def paired_order(code: Construction, key: Key, sync_key: Key) -> np.ndarray:
    """``(K,)``: the code bit that each channel bit carries; pairs are the sync key's, what they carry is the key's."""
    together = code_pairs(code)
    alone = np.setdiff1d(np.arange(len(code.sends)), together)
    pairs, rest = channel_pairs(len(together), len(code.sends), sync_key)
    order = np.empty(len(code.sends), dtype=np.int64)
    order[pairs[keyed_permutation(key, "codec interleaver", len(pairs))]] = together
    order[rest[keyed_permutation(key, "codec singles", len(rest))]] = alone
    return order
