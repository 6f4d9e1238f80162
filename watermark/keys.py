"""From one secret to every keyed choice: a stream that stays the same for years, on any library version.

A mark embedded today must be found in ten years, so nothing keyed may depend on the stream of a numerical library's
generator. SHAKE-256 (FIPS 202) over ``purpose`` and key is fixed by a standard; distinct purposes are independent.
"""

import hashlib

import numpy as np

Key = int | str | bytes
MAX_INT_BITS = 4096


def key_bytes(key: Key) -> bytes:
    """What a key is, and its bytes: distinct keys never have the same ones.

    A key is a ``bytes`` or ``str`` that is not empty or blank, or an ``int`` (NumPy's count as such). Its kind goes in
    front, so ``7``, ``"7"`` and ``b"7"`` are three secrets. Nothing is rounded or converted: ``True``, ``1.0``,
    ``None`` and a ``bytearray`` are no keys; ``"a"`` and ``"a "``, or an accent as one character and as two (Unicode
    NFC and NFD), are two secrets. A key is as secret as it is hard to guess; `watermark key new` draws 256 bits, and
    the small integers of tests and examples protect nothing.

    Raises:
        TypeError: it is of another kind.
        ValueError: it is empty, blank or a number of more than 4,096 bits.
    """
    if isinstance(key, int | np.integer) and not isinstance(key, bool):
        if int(key).bit_length() > MAX_INT_BITS:
            raise ValueError(f"a key must be a number of at most {MAX_INT_BITS} bits, got {int(key).bit_length()}")
        return b"i" + str(int(key)).encode()
    if not isinstance(key, bytes | str):
        raise TypeError(f"a key must be a str, bytes or int, got {type(key).__name__}")
    if not key or key.isspace():
        state = "an empty" if not key else "a blank"
        raise ValueError(f"a key must not be empty or blank, got {state} {type(key).__name__}")
    return b"b" + key if isinstance(key, bytes) else b"s" + key.encode("utf-8", "surrogatepass")


def derived_key(key: Key, purpose: str) -> bytes:
    """A key of 256 bits for one purpose; it tells nothing about ``key`` or the keys of other purposes."""
    return hashlib.shake_256(purpose.encode() + b"\0" + key_bytes(key)).digest(32)


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
