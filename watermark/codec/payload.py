"""What a mark says: version, provider and content number, and check bits, in a layout that is configuration."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from watermark.codec.crc import POLYNOMIALS, crc
from watermark.keys import Key, key_bytes

Bools = NDArray[np.bool_]

CURRENT_VERSION = 1
"""What marks are written with today; detection pays half of its budget for it and half for all others together."""


@dataclass(frozen=True)
class Payload:
    """What one image carries.

    Attributes:
        provider_id: slot of the provider; ``0 <= provider_id < 2 ** layout.provider_bits``.
        content_id: number of the content within the provider; ``0 <= content_id < 2 ** layout.content_bits``.
        version: of the format; ``0 <= version < 2 ** layout.version_bits``.

    Example:
        >>> Payload(provider_id=7, content_id=123_456)
        Payload(provider_id=7, content_id=123456, version=1)
    """

    provider_id: int
    content_id: int
    version: int = CURRENT_VERSION


@dataclass(frozen=True)
class Layout:
    """Widths of the fields of a payload, most significant first: version, provider, content, check.

    The check bits choose among the decoder's candidates, which makes wrong IDs rare, and never prove a mark (the
    p-value does). ``check="mac"`` makes them a truncated keyed BLAKE2b over the other bits, so that who can copy signs
    without knowing the key still cannot write a payload of his own choice.

    Raises:
        ValueError: for a negative width, no identifier bits, or a check width that has no polynomial.

    Example:
        >>> Layout(provider_bits=8, content_bits=24).validate(Payload(provider_id=256, content_id=0))
        Traceback (most recent call last):
        ValueError: provider_id must be an integer from 0 to 255, got 256
    """

    version_bits: int = 4
    provider_bits: int = 12
    content_bits: int = 40
    check_bits: int = 16
    check: Literal["crc", "mac"] = "crc"

    def __post_init__(self) -> None:
        if min(self.version_bits, self.provider_bits, self.content_bits, self.check_bits) < 0 or self.free_bits < 1:
            raise ValueError(f"expected field widths of at least 0 bits and one of them above, got {self}")
        if self.check not in ("crc", "mac"):
            raise ValueError(f'expected check "crc" or "mac", got {self.check!r}')
        if self.check == "crc" and self.check_bits not in (0, *POLYNOMIALS):
            raise ValueError(f"expected 0, {', '.join(map(str, POLYNOMIALS))} CRC bits, got {self.check_bits}")
        if self.check == "mac" and not 0 < self.check_bits <= 512:
            raise ValueError(f"expected 1 to 512 MAC bits, got {self.check_bits}")

    @property
    def free_bits(self) -> int:
        """Bits that the caller chooses: there are ``2 ** free_bits`` valid words, check bits follow from them."""
        return self.version_bits + self.provider_bits + self.content_bits

    @property
    def total_bits(self) -> int:
        """All bits that the error-correcting code has to carry."""
        return self.free_bits + self.check_bits

    def log10_words(self, version: int) -> float:
        """How many words a p-value has to pay for when one of this version is the answer, log10.

        A union bound over unequal shares: the ``2 ** (provider_bits + content_bits)`` words of the current version have
        one half, those of all other versions together the other half. Check bits follow from the rest and cost nothing.
        """
        shares = 1 if version == CURRENT_VERSION else (1 << self.version_bits) - 1
        halves = 2 * shares if self.version_bits else 1
        return (self.provider_bits + self.content_bits) * math.log10(2) + math.log10(halves)

    def validate(self, payload: Payload) -> None:
        """Refuse a payload that does not fit, naming the field and its range.

        Raises:
            ValueError: if an ID is no integer or out of range.
        """
        for name, value, bits in self._fields(payload):
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 0 <= value < 1 << bits:
                raise ValueError(f"{name} must be an integer from 0 to {(1 << bits) - 1}, got {value!r}")

    def pack(self, payloads: Sequence[Payload], key: Key) -> Bools:
        """``(N, total_bits)`` bool; the key matters only for ``check="mac"``."""
        for payload in payloads:
            self.validate(payload)
        numbers = [self._number(payload) for payload in payloads]
        free = np.array([[n >> i & 1 for i in range(self.free_bits - 1, -1, -1)] for n in numbers], dtype=bool)
        free = free.reshape(len(payloads), self.free_bits)
        return np.concatenate([free, self._check_bits(free, key)], axis=1)

    def checks(self, words: Bools, key: Key) -> Bools:
        """``(...)`` bool: whether the check bits of ``(..., total_bits)`` agree with the rest."""
        free, check = np.split(words, [self.free_bits], axis=-1)
        return (self._check_bits(free, key) == check).all(-1)

    def unpack(self, word: Bools) -> Payload:
        """The payload in ``(total_bits,)`` bits, whose check the caller has looked at."""
        number = int("".join("1" if bit else "0" for bit in word[: self.free_bits]), 2)
        content = number & (1 << self.content_bits) - 1
        provider = number >> self.content_bits & (1 << self.provider_bits) - 1
        return Payload(provider, content, number >> self.content_bits + self.provider_bits)

    def _fields(self, payload: Payload) -> list[tuple[str, int, int]]:
        return [
            ("version", payload.version, self.version_bits),
            ("provider_id", payload.provider_id, self.provider_bits),
            ("content_id", payload.content_id, self.content_bits),
        ]

    def _number(self, payload: Payload) -> int:
        number = 0
        for _, value, bits in self._fields(payload):
            number = number << bits | int(value)
        return number

    def _check_bits(self, free: Bools, key: Key) -> Bools:
        if self.check_bits == 0:
            return free[..., :0]
        if self.check == "crc":
            return crc(free, self.check_bits)
        secret = hashlib.sha256(b"payload mac\0" + key_bytes(key)).digest()
        rows = np.packbits(free.reshape(-1, self.free_bits), axis=1)
        size = (self.check_bits + 7) // 8
        tags = b"".join(hashlib.blake2b(row.tobytes(), digest_size=size, key=secret).digest() for row in rows)
        bits = np.unpackbits(np.frombuffer(tags, dtype=np.uint8).reshape(-1, size), axis=1)[:, : self.check_bits]
        return bits.astype(bool).reshape(*free.shape[:-1], self.check_bits)
