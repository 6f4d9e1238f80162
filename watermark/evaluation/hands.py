"""Who marks and who reads the pictures of a unit: a marker of ours, or somebody else."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from watermark.codec import Payload
from watermark.data.images import ImageInfo
from watermark.errors import UserError
from watermark.evaluation.matched import Match
from watermark.files import load_8bit
from watermark.files.formats import readable
from watermark.metrics.bits import bit_errors
from watermark.pixels import to_image, to_tensor
from watermark.schemes.outside import OutsideMark
from watermark.watermarker import Watermarker


@dataclass(frozen=True)
class Reading:
    """What is answered for one attacked picture.

    Attributes:
        columns: of a ``Record``, from ``bit_errors`` to ``readings``.
        logits: ``(K,)`` soft decisions; None where there are none.
    """

    columns: dict[str, Any]
    logits: Tensor | None = None


class Hand(Protocol):
    """Marks and reads pictures ``(N, 3, H, W)`` in ``[0, 1]``."""

    message_bits: int
    payloads: list[Payload]
    """What the pictures are to carry."""

    def mark(self, original: Tensor) -> Tensor:
        """The marked pictures."""
        ...

    def read(self, attacked: Tensor, members: Sequence[int]) -> list[Reading]:
        """One answer a picture; ``members``: which of the unit's pictures they are."""
        ...


class OurHand:
    """A marker of ours, and the IDs that each picture is to carry."""

    def __init__(self, marker: Watermarker, payloads: list[Payload]) -> None:
        self.marker, self.payloads, self.message_bits = marker, payloads, marker.scheme.message_bits
        self.message = torch.as_tensor(marker.codec.encode(payloads))

    def match(self, match: Match, original: Tensor) -> None:
        """Turn the dial to where one picture ``(1, 3, H, W)`` has the quality that was asked for."""
        self.marker.scheme.target_psnr = match.target(self.marker, original, self.payloads[0])

    def mark(self, original: Tensor) -> Tensor:
        """See ``Hand``."""
        return self.marker.embed_batch(original, self.payloads)

    def read(self, attacked: Tensor, members: Sequence[int]) -> list[Reading]:
        """See ``Hand``."""
        readout = self.marker.read(attacked)
        answers = self.marker.detector.detect(readout, expected=[self.payloads[i] for i in members])
        read = []
        for place, (i, found) in enumerate(zip(members, answers, strict=True)):
            logits, payload = readout.reading(place, found.reading).double().cpu(), self.payloads[i]
            right = (found.provider_id, found.content_id) == (payload.provider_id, payload.content_id)
            columns = {
                "bit_errors": int(bit_errors(logits[None], self.message[i])),
                "log10_p": found.log10_p,
                "is_marked": found.is_marked,
                "log10_p_expected": found.log10_p_expected,
                "decoded_provider_id": found.provider_id,
                "decoded_content_id": None if found.content_id is None else str(found.content_id),
                "log10_doubt": found.log10_doubt,
                "payload_ok": found.is_marked and right,
                "readings": found.readings,
            }
            read.append(Reading(columns, logits))
        return read


NOTHING = ("log10_p", "log10_p_expected", "decoded_provider_id", "decoded_content_id", "log10_doubt", "payload_ok")
"""Columns that somebody else's detector leaves empty: it proves nothing, and names nobody."""


class OutsideHand:
    """Pictures that somebody marked, and his detector.

    Args:
        outside: the detector.
        infos: of the unit's pictures.
    """

    def __init__(self, outside: OutsideMark, infos: Sequence[ImageInfo]) -> None:
        self.outside, self.infos, self.message_bits = outside, infos, outside.message_bits
        self.payloads = [Payload(0, 0)] * len(infos)

    def mark(self, original: Tensor) -> Tensor:
        """See ``Hand``; where nothing else is known the pictures themselves.

        Raises:
            UserError: if nobody marked one of them.
        """
        if self.outside.marked is None:
            return original
        pictures = [load_8bit(marked_file(self.outside.marked, info.id)) for info in self.infos]
        return torch.cat([to_tensor(picture) for picture in pictures]).to(original)

    def read(self, attacked: Tensor, members: Sequence[int]) -> list[Reading]:
        """See ``Hand``."""
        answers = [self.outside.ask(to_image(picture)) for picture, _ in zip(attacked.cpu(), members, strict=True)]
        empty = dict.fromkeys(NOTHING)
        return [
            Reading({**empty, "bit_errors": one.wrong_bits, "is_marked": one.found, "readings": 1}) for one in answers
        ]


def marked_file(folder: str, name: str) -> Path:
    """The marked picture of an original: of the same name below the folder, or of the same name but for the suffix.

    Raises:
        UserError: if there is none, or there are several.
    """
    exact = Path(folder).expanduser() / name
    if exact.is_file():
        return exact
    alike = exact.parent.glob(f"{glob.escape(exact.stem)}.*")
    found = [path for path in alike if path.suffix.lower() in readable()]
    if len(found) != 1:
        raise UserError(f"marked: expected one picture named {exact.with_suffix('').name} in {exact.parent}")
    return found[0]
