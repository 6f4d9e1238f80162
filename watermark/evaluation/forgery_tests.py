"""The forgery tests F1 to F6: an attacker who wants a false positive, a lost owner, or somebody else's name.

Every test asks one question whose answer is a count out of n, so that a report can put an interval on it. The attacks
are those of ``attacks.residual``, ``attacks.collusion`` and ``attacks.adversarial``; the marks are our own.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.adversarial import ProjectedGradient
from attacks.collusion import COLLUSIONS, collude, overwrite
from attacks.residual import AddResidual, average_residual, transplant
from attacks.surrogate import train_surrogate
from watermark.codec import Payload
from watermark.detection import Detection
from watermark.images import to_8bit
from watermark.metrics.psnr import psnr
from watermark.metrics.rates import wilson
from watermark.watermarker import Watermarker

AVERAGED = (5, 20, 100, 500, 1000)
COLLUDERS = (2, 5, 10)
GRADIENT_STEPS = 40
SURROGATE_STEPS = 200
BATCH = 16
OWNER = Payload(7, 123_456)


@dataclass(frozen=True)
class Outcome:
    """How often an attacker got what he wanted.

    Attributes:
        scheme: name.
        test: F1 to F6.
        setting: what was done, in words.
        attacker_wants: what counts as his success.
        wins: how often he had it.
        n: pictures tried.
        low: lower end of the 95 % Wilson interval.
        high: upper end.
        psnr: mean PSNR of his pictures against the ones that he started from, dB; None where there is no such picture.
        amount: how many pictures he averaged or copies he compared; None where that is not the question.
        family: the setting without its amount: answers of one family differ in it alone.
    """

    scheme: str
    test: str
    setting: str
    attacker_wants: str
    wins: int
    n: int
    low: float
    high: float
    psnr: float | None
    amount: int | None
    family: str


class ForgeryTests:
    """All tests of one scheme.

    Args:
        name: of the scheme.
        marker: with the owner's key.
        rival: the same scheme with another provider's key.
        images: ``(N, 3, H, W)`` pictures of one size; the last ``targets`` are attacked, the others averaged.
        targets: how many pictures each test tries.
        seed: of the identities that are drawn.
        surrogate_steps: that the black-box attacker's own detector is trained for; 0 leaves him out.
    """

    def __init__(
        self,
        name: str,
        marker: Watermarker,
        rival: Watermarker,
        images: Tensor,
        targets: int = 24,
        seed: int = 0,
        surrogate_steps: int = SURROGATE_STEPS,
    ) -> None:
        if len(images) <= targets:
            raise ValueError(f"expected more than {targets} pictures (the rest is averaged), got {len(images)}")
        self.name, self.marker, self.rival = name, marker, rival
        self.pool, self.targets = images[:-targets], images[-targets:]
        self.generator = torch.Generator().manual_seed(seed)
        self.surrogate_steps = surrogate_steps

    def run(self) -> Iterator[Outcome]:
        """Every answer, as it is found."""
        yield from self.averaging()
        yield from self.copying()
        yield from self.overwriting()
        yield from self.gradients()
        yield from self.surrogate()
        yield from self.collusion()
        yield from self.identities()

    @torch.no_grad()
    def averaging(self) -> Iterator[Outcome]:
        """F1: add the average residual of n marked pictures to clean ones, and subtract it from marked ones."""
        marked = self._mark(self.marker, self.pool, OWNER)
        own = self._mark(self.marker, self.targets, OWNER)
        for n in [n for n in AVERAGED if n <= len(self.pool)]:
            pattern = average_residual(marked[:n])
            for factor in (1.0, 4.0):
                forged = AddResidual(factor, pattern)(self.targets)
                said = f"average of n marked pictures x{factor:g}"
                yield self._count(
                    "F1", f"{said} added", "clean pictures detected", forged, self.targets, _is_marked, amount=n
                )
                removed = AddResidual(-factor, pattern)(own)
                yield self._count("F1", f"{said} subtracted", "marks lost", removed, own, _not_owner, amount=n)

    @torch.no_grad()
    def copying(self) -> Iterator[Outcome]:
        """F2: what a denoiser takes out of a marked picture is put on a clean one."""
        marked = self._mark(self.marker, self.pool[: len(self.targets)], OWNER)
        clean = self.targets[: len(marked)]
        for factor in (1.0, 2.0):
            forged = transplant(marked, clean, factor)
            yield self._count(
                "F2", f"residual copied x{factor:g}", "clean pictures detected", forged, clean, _is_marked
            )

    @torch.no_grad()
    def overwriting(self) -> Iterator[Outcome]:
        """F3: a second provider marks a marked picture; both orders, both readers."""
        embed = [lambda images, m=m: self._mark(m, images, OWNER) for m in (self.marker, self.rival)]
        for order, words in ((embed, "owner first, rival second"), (embed[::-1], "rival first, owner second")):
            both = overwrite(self.targets, order)
            yield self._count("F3", words, "the owner's mark lost", both, self.targets, _not_owner)
        rivals = self._mark(self.rival, self.targets, OWNER)
        yield self._count("F3", "rival's mark alone", "taken for the owner's", rivals, self.targets, _is_marked)

    def gradients(self) -> Iterator[Outcome]:
        """F4: projected gradient on the decoder itself, by somebody who has key and code: an upper bound."""
        word = torch.as_tensor(self.marker.codec.encode([OWNER])).to(self.targets.device)
        signs = word.float() * 2 - 1  # (1, K)

        def score(images: Tensor) -> Tensor:
            logits = self.marker.scheme.decode(images).logits
            return (logits * signs).sum(1) / logits.norm(dim=1).clamp_min(1e-9)

        targets = self.targets[: min(8, len(self.targets))]
        forging = ProjectedGradient(2.0, score, steps=GRADIENT_STEPS, raises=True)
        try:
            forged = torch.cat([forging(one[None]) for one in targets])
        except RuntimeError:  # autograd's way of saying that the decoder gives no gradient
            return
        said = f"{GRADIENT_STEPS} gradient steps of the decoder with its key, 2/255"
        yield self._count("F4", said, "clean pictures detected", forged, targets, _is_marked)

    @torch.no_grad()
    def surrogate(self) -> Iterator[Outcome]:
        """F4 without the key: projected gradient on a detector learned from pictures with and without the mark."""
        if not self.surrogate_steps:
            return
        marked = self._mark(self.marker, self.pool, OWNER)
        learned = train_surrogate(marked, self.pool, self.surrogate_steps, batch=8)
        clean = self.targets[: min(8, len(self.targets))]
        own = self._mark(self.marker, clean, OWNER)
        right = int((learned(own) > 0).sum() + (learned(clean) <= 0).sum())
        said = f"{GRADIENT_STEPS} gradient steps of a surrogate (right on {right} of {2 * len(clean)}), 4/255"
        removed = ProjectedGradient(4.0, learned, steps=GRADIENT_STEPS)(own)
        yield self._count("F4", said, "marks lost", removed, own, _not_owner)
        forged = ProjectedGradient(4.0, learned, steps=GRADIENT_STEPS, raises=True)(clean)
        yield self._count("F4", said, "clean pictures detected", forged, clean, _is_marked)

    @torch.no_grad()
    def collusion(self) -> Iterator[Outcome]:
        """F5: k customers compare their copies of one picture."""
        for k in COLLUDERS:
            payloads = self._payloads(k)
            copies = torch.stack([self._mark(self.marker, self.targets, payload) for payload in payloads])
            traitors = {payload.content_id for payload in payloads}
            for how in COLLUSIONS:
                mixed, words = to_8bit(collude(copies, how)), f"{how} of n copies"
                named = [found.content_id for found in self._detect(mixed)]
                lost, framed = (name is None for name in named), (name not in {None, *traitors} for name in named)
                yield self._answer("F5", words, "nobody named", sum(lost), mixed, self.targets, k)
                yield self._answer("F5", words, "somebody else named", sum(framed), mixed, self.targets, k)

    @torch.no_grad()
    def identities(self) -> Iterator[Outcome]:
        """F6: look a marked picture up among IDs that differ in one bit, and an unmarked one among random IDs."""
        marked = self._mark(self.marker, self.targets, OWNER)
        bits = self.marker.codec.layout.content_bits
        near = [Payload(OWNER.provider_id, OWNER.content_id ^ 1 << bit) for bit in range(bits)]
        words = f"registry of the {bits} IDs one bit away, without the right one"
        yield self._count("F6", words, "a near ID named", marked, None, _is_named, near)
        drawn = self._payloads(1000)
        yield self._count("F6", "unmarked, 1000 random IDs", "an ID named", self.targets, None, _is_named, drawn)

    def _payloads(self, count: int) -> list[Payload]:
        """The owner's, each with a random content ID."""
        bits = min(62, self.marker.codec.layout.content_bits)  # what an int64 can draw
        drawn = torch.randint(2**bits, (count,), generator=self.generator).tolist()
        return [Payload(OWNER.provider_id, content) for content in drawn]

    def _mark(self, marker: Watermarker, images: Tensor, payload: Payload) -> Tensor:
        parts = [to_8bit(marker.embed(part, payload.provider_id, payload.content_id)) for part in images.split(BATCH)]
        return torch.cat(parts)

    def _detect(self, images: Tensor, registry: Sequence[Payload] | None = None) -> list[Detection]:
        found: list[Detection] = []
        for part in images.split(BATCH):
            found += self.marker.detector.detect(self.marker.scheme.decode(part), registry=registry)
        return found

    def _count(
        self,
        test: str,
        family: str,
        wants: str,
        images: Tensor,
        start: Tensor | None,
        wins: Callable[[Detection], bool],
        registry: Sequence[Payload] | None = None,
        amount: int | None = None,
    ) -> Outcome:
        """Detect in pictures, saved with 8 bits, and count."""
        images = to_8bit(images)
        return self._answer(test, family, wants, sum(map(wins, self._detect(images, registry))), images, start, amount)

    def _answer(
        self, test: str, family: str, wants: str, count: int, images: Tensor, start: Tensor | None, amount: int | None
    ) -> Outcome:
        """One answer; where there is an amount, it takes the place of the n in ``family``."""
        low, high = wilson(count, len(images))
        quality = None if start is None else float(psnr(images, start).clamp(max=99).mean())
        setting = family if amount is None else family.replace(" of n ", f" of {amount} ")
        return Outcome(self.name, test, setting, wants, count, len(images), low, high, quality, amount, family)


def _is_marked(found: Detection) -> bool:
    return found.is_marked


def _is_named(found: Detection) -> bool:
    return found.content_id is not None


def _not_owner(found: Detection) -> bool:
    return (found.provider_id, found.content_id) != (OWNER.provider_id, OWNER.content_id)
