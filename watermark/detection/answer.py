"""What a detector answers about one picture: to the key's owner, and to everybody else."""

from dataclasses import dataclass

PUBLIC_CLASSES = (3, 6, 12)
"""How surprising a mark is to strangers: at most one in 10 to the power of one of these. Few, for each is a step that
an attacker can feel his way along."""


@dataclass(frozen=True)
class PublicAnswer:
    """What may leave the house: no number that grows as a forger or a remover comes nearer.

    Attributes:
        is_marked: as in ``Detection``.
        provider_id: as in ``Detection``.
        content_id: as in ``Detection``.
        name_uncertain: marked, and no ID certain enough to be given.
        at_most_one_in: an unmarked picture is called marked with this certainty at most once in so many; one of
            ``10 ** PUBLIC_CLASSES``; None where unmarked, or above the largest chance.
    """

    is_marked: bool
    provider_id: int | None = None
    content_id: int | None = None
    name_uncertain: bool = False
    at_most_one_in: int | None = None


@dataclass(frozen=True)
class Detection:
    """The answer for one picture, as the key's owner gets it. Two claims, which are not the same.

    That the picture carries a mark of this key is proven by ``log10_p``. Whose ID it is needs more: just under the
    threshold other IDs fit nearly as well, and then none is given. Strangers get ``public()``: with ``log10_p`` as a
    guide a mark is taken off, or brought on, query by query.

    Attributes:
        is_marked: ``log10_p`` is at or below the promised false-positive rate.
        log10_p: p-value after paying for code words, readings and keys; 0 where no valid word was found.
        provider_id: who; None if not marked, or not certain at the promised misattribution rate.
        content_id: what; likewise.
        version: format of the payload; likewise.
        name_uncertain: why no ID is given although the picture is marked, in one line; None if one is, or no mark.
        log10_doubt: log10 of the chance that the likeliest ID is not the one that was embedded; None if not marked.
        readings: readings of the message among which the answer was chosen.
        corrected: channel bits that the code corrected in the word behind ``log10_p``.
        log10_p_expected: p-value of the expected payload alone (readings and keys paid); None if none was expected.
        reading: which reading this answer comes from: 0 for ``logits``, 1 and up for ``others``.

    Example:
        >>> import torch
        >>> from watermark import Watermarker
        >>> found = Watermarker.load("dwt_dct", key="a secret").detect(torch.rand(1, 3, 64, 64))[0]
        >>> found.is_marked, found.provider_id, found.content_id
        (False, None, None)
    """

    is_marked: bool
    log10_p: float
    provider_id: int | None = None
    content_id: int | None = None
    version: int | None = None
    name_uncertain: str | None = None
    log10_doubt: float | None = None
    readings: int = 1
    corrected: int = 0
    log10_p_expected: float | None = None
    reading: int = 0

    def public(self) -> PublicAnswer:
        """What a stranger may know; of an unmarked picture nothing but that."""
        if not self.is_marked:
            return PublicAnswer(False)
        reached = [power for power in PUBLIC_CLASSES if self.log10_p <= -power]
        return PublicAnswer(
            is_marked=True,
            provider_id=self.provider_id,
            content_id=self.content_id,
            name_uncertain=self.name_uncertain is not None,
            at_most_one_in=10 ** reached[-1] if reached else None,
        )
