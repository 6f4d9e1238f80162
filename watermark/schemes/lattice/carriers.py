"""What a key chooses: where the lines of a mark stand, their phases, which of them are the pilot, what each carries."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from watermark.keys import Key, keyed_permutation, keyed_signs, keyed_uniform
from watermark.schemes.lattice.settings import Band
from watermark.synchronization import Lines
from watermark.transforms.waves import keyed_frequencies


@dataclass(frozen=True)
class Carriers:
    """The lines of one key. A data line carries two signs, on its cosine and its sine, turned by a keyed phase.

    Attributes:
        frequencies: ``(L, 2)`` float64, cycles per plane px, sorted by radius.
        phase: ``(L,)`` complex64 of modulus 1.
        is_pilot: ``(L,)`` bool.
        bit: ``(2, L)`` int64, the message bit that cosine and sine carry.
        sign: ``(2, L)`` float, the keyed sign of each symbol; 0 at pilot lines.
        radius: ``(L,)`` float.
        angle: ``(L,)`` float, radians.
    """

    frequencies: Tensor
    phase: Tensor
    is_pilot: Tensor
    bit: Tensor
    sign: Tensor
    radius: Tensor
    angle: Tensor

    @classmethod
    def from_key(cls, key: Key, purpose: str, band: Band, message_bits: int) -> "Carriers":
        """Draw them.

        Args:
            key: secret.
            purpose: name of the scheme, so that two schemes of one key share nothing.
            band: where lines may stand.
            message_bits: how many bits share the symbols.

        Raises:
            ValueError: if there are fewer symbols than bits, or fewer lines than the pilot needs.
        """
        frequencies = keyed_frequencies(key, f"{purpose} lines", band.low, band.high, band.spacing, band.off_axis)
        count, radius = len(frequencies), np.hypot(*frequencies.T)
        inside = (radius >= band.pilot_low) & (radius <= band.pilot_high)
        allowed = np.flatnonzero(inside & (np.abs(frequencies).min(1) >= band.pilot_off_axis))
        if len(allowed) < band.pilot_lines:
            raise ValueError(
                f"expected at most {len(allowed)} pilot lines between {band.pilot_low} and {band.pilot_high}, "
                f"got {band.pilot_lines}"
            )
        if not 1 <= message_bits <= band.symbols:
            raise ValueError(f"expected 1 to at most {band.symbols} message bits, got {message_bits}")
        is_pilot = np.zeros(count, dtype=bool)
        is_pilot[allowed[keyed_permutation(key, f"{purpose} pilot", len(allowed))[: band.pilot_lines]]] = True
        data = np.flatnonzero(~np.tile(is_pilot, 2))  # cosine symbols, then sine symbols
        bit, sign = np.zeros(2 * count, dtype=np.int64), np.zeros(2 * count, dtype=np.float32)
        bit[data[keyed_permutation(key, f"{purpose} interleave", len(data))]] = np.arange(len(data)) % message_bits
        sign[data] = keyed_signs(key, f"{purpose} signs", len(data))
        phase = np.exp(2j * np.pi * keyed_uniform(key, f"{purpose} phases", count))
        return cls(
            frequencies=torch.from_numpy(frequencies),
            phase=torch.from_numpy(phase).to(torch.complex64),
            is_pilot=torch.from_numpy(is_pilot),
            bit=torch.from_numpy(bit).view(2, -1),
            sign=torch.from_numpy(sign).view(2, -1),
            radius=torch.from_numpy(radius).float(),
            angle=torch.from_numpy(np.arctan2(frequencies[:, 1], frequencies[:, 0])).float(),
        )

    def to(self, device: torch.device) -> "Carriers":
        """The same choices on a device."""
        return Carriers(**{name: part.to(device) for name, part in vars(self).items()})

    def lines(self, pilot: bool) -> Lines:
        """The pilot, or the data lines; see ``Lines``."""
        chosen = (self.is_pilot == pilot).cpu()
        return Lines(self.frequencies.cpu()[chosen].numpy(), self.phase.cpu()[chosen].numpy().astype(np.complex128))
