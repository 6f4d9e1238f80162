"""Counter -> content ID: a keyed shuffle of all numbers of a given width, so IDs never collide and tell no order."""

import hashlib

from watermark.keys import Key, key_bytes

ROUNDS = 12  # pairs of half-rounds; NIST SP 800-38G's FF1 uses 10 single rounds for wider fields


class KeyedPermutation:
    """A bijection of ``range(2**bits)`` that only the holder of ``key`` can compute or undo.

    An unbalanced Feistel network: the halves have ``bits // 2`` and the rest, and take turns in being XORed with a
    keyed hash of the other. Each step undoes itself, so any width is a bijection of exactly that width, without
    cycle walking. The hash is keyed BLAKE2b (RFC 7693), fixed by its standard, so an ID issued today is found in years.

    Args:
        key: the secret.
        purpose: what this shuffle is for; other purposes (other provider slots) shuffle independently.
        bits: width of the field, 1 to 128.
    """

    def __init__(self, key: Key, purpose: str, bits: int) -> None:
        if not 1 <= bits <= 128:
            raise ValueError(f"bits must be between 1 and 128, got {bits}")
        self.bits, self.size = bits, 1 << bits
        self._low_bits = bits // 2
        secret = hashlib.shake_256(purpose.encode() + b"\0" + key_bytes(key)).digest(64)
        self._keyed = [hashlib.blake2b(digest_size=size, key=secret) for size in (8, 16)]

    def forward(self, index: int) -> int:
        """The content ID of a counter value in ``range(2**bits)``."""
        high, low = self._split(index)
        for number in range(2 * ROUNDS):
            high, low = self._step(number, high, low)
        return high << self._low_bits | low

    def inverse(self, content_id: int) -> int:
        """The counter value of a content ID in ``range(2**bits)``."""
        high, low = self._split(content_id)
        for number in reversed(range(2 * ROUNDS)):
            high, low = self._step(number, high, low)
        return high << self._low_bits | low

    def _split(self, value: int) -> tuple[int, int]:
        if not 0 <= value < self.size:
            raise ValueError(f"expected a number of {self.bits} bits, got {value}")
        return value >> self._low_bits, value & (1 << self._low_bits) - 1

    def _step(self, number: int, high: int, low: int) -> tuple[int, int]:
        if number % 2:
            return high, low ^ self._hash(number, high, self._low_bits)
        return high ^ self._hash(number, low, self.bits - self._low_bits), low

    def _hash(self, number: int, value: int, bits: int) -> int:
        state = self._keyed[bits > 56].copy()  # the key is hashed in already
        state.update(bytes((number, self.bits)) + value.to_bytes(9, "little"))
        return int.from_bytes(state.digest(), "little") & (1 << bits) - 1
