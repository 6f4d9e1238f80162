"""From one secret to every keyed choice: a stream that stays the same for years, on any library version.

A mark embedded today must be found in ten years, so nothing keyed may depend on the stream of a numerical library's
generator. SHAKE-256 (FIPS 202) over ``purpose`` and key is fixed by a standard; distinct purposes are independent.
"""

import hashlib

import numpy as np

Key = int | str | bytes


def key_bytes(key: Key) -> bytes:
    """The bytes of a key, with its type in front so that ``7`` and ``"7"`` are different secrets."""
    if isinstance(key, bytes):
        return b"b" + key
    if isinstance(key, str):
        return b"s" + key.encode()
    return b"i" + str(int(key)).encode()


def keyed_words(key: Key, purpose: str, count: int) -> np.ndarray:
    """``count`` uniform uint64 words that only the holder of ``key`` can compute."""
    stream = hashlib.shake_256(purpose.encode() + b"\0" + key_bytes(key)).digest(8 * count)
    return np.frombuffer(stream, dtype="<u8").astype(np.uint64)


def keyed_uniform(key: Key, purpose: str, count: int) -> np.ndarray:
    """``count`` float64 in ``[0, 1)`` with 53 random bits each."""
    return (keyed_words(key, purpose, count) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def keyed_signs(key: Key, purpose: str, count: int) -> np.ndarray:
    """``count`` float64 of -1 or +1."""
    return np.where(keyed_words(key, purpose, count) >> np.uint64(63), 1.0, -1.0)


def keyed_permutation(key: Key, purpose: str, count: int) -> np.ndarray:
    """A permutation of ``range(count)``, int64."""
    return np.argsort(keyed_words(key, purpose, count), kind="stable")
