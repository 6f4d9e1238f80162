"""What it costs, in damage to the picture, to take a mark off or to forge one without its key.

Every attack is climbed from mild to severe; per rung the attacker's wins are counted, and the damage is the mean PSNR
to the picture that he started from. His price is the least damage at which half of the marks go. JPEG, blur and noise
stand in the same table: what they cost is what he can have without thinking. The attacks are those of ``attacks`` and
``attacks.security``; none of them holds the key.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from attacks import DctShrinkage, DenoiseResample, GaussianBlur, GaussianNoise, Jpeg, Wiener
from attacks.adversarial import ProjectedGradient
from attacks.base import Attack
from attacks.residual import residual
from attacks.security import (
    BandNoise,
    BandStop,
    Comb,
    PeriodComb,
    SpectralNotch,
    SubtractPattern,
    aligned_mean,
    boundary,
    mean_excess,
    spsa,
)
from attacks.surrogate import train_surrogate
from watermark.codec import Payload
from watermark.detection import Detection
from watermark.images import to_8bit
from watermark.metrics.psnr import psnr
from watermark.watermarker import Watermarker

PROVIDER = 7
STEPS = 40
DEPTHS = (0.4, 0.6, 0.8, 1.0)
EPSILONS = (1.0, 2.0, 4.0, 8.0)
FACTORS = (1.0, 2.0, 4.0, 8.0)
QUERY_PSNR = (44.0, 41.0, 38.0, 35.0)
"""dB that the changes of a black-box attacker keep."""
LOST, FORGED = "marks lost", "clean pictures detected"
PLAIN, ONE, MANY, BOX, ASKS = "plain", "one picture", "many pictures", "scheme and weights", "the detector's answers"
ATTACKERS = ("plain", "one", "many", "box", "asks", "walks")
"""Who they are, by what they have; see ``AttackCost.knows``."""
Build = Callable[..., Attack]


@dataclass(frozen=True)
class Rung:
    """One strength: the attacker's ``wins`` out of ``n``, at a mean PSNR in dB to the pictures that he started from."""

    strength: float
    wins: int
    n: int
    psnr: float


@dataclass(frozen=True)
class AttackCost:
    """What one attack costs on one scheme.

    Attributes:
        scheme: name.
        attack: what is done, in words.
        knows: what the attacker has: ``plain`` (the yardstick), one picture, many, the scheme, a detector that answers.
        wants: ``marks lost`` or ``clean pictures detected``.
        unit: of the strength.
        rungs: mild to severe.
    """

    scheme: str
    attack: str
    knows: str
    wants: str
    unit: str
    rungs: tuple[Rung, ...]

    @property
    def half(self) -> Rung | None:
        """The rung with the least damage at which he had half of what he wanted; None if he never had."""
        return max((rung for rung in self.rungs if 2 * rung.wins >= rung.n), key=lambda r: r.psnr, default=None)

    def same_attack(self, other: "AttackCost") -> bool:
        """Whether both say what one attack costs, on fewer and on more pictures or rungs."""
        names = ("scheme", "attack", "knows", "wants")
        return all(getattr(self, name) == getattr(other, name) for name in names)


class AttackCostTests:
    """All attacks without the key on one scheme.

    Args:
        name: of the scheme.
        marker: with the owner's key.
        attacker: the same scheme with a key that the attacker drew himself.
        pool: ``(N, 3, H, W)`` pictures that he has marked ones of, each with its own content ID.
        targets: ``(n, 3, H, W)`` pictures that he attacks.
        queries: that a black-box attacker may ask; 0 leaves him out.
        query_psnr: dB, the least PSNR that his changes keep, each tried in turn; None: ``QUERY_PSNR``.
        surrogate_steps: that his own detector is trained for; 0 leaves it out.
        seed: of everything random.
    """

    def __init__(
        self,
        name: str,
        marker: Watermarker,
        attacker: Watermarker,
        pool: Tensor,
        targets: Tensor,
        queries: int = 1000,
        query_psnr: Sequence[float] | None = None,
        surrogate_steps: int = 200,
        seed: int = 0,
    ) -> None:
        self.name, self.marker, self.attacker = name, marker, attacker
        self.queries, self.surrogate_steps = queries, surrogate_steps
        self.query_psnr = QUERY_PSNR if query_psnr is None else tuple(query_psnr)
        self.generator = torch.Generator().manual_seed(seed)
        self.pool, self.clean = pool, targets
        self.marked_pool, self.marked = self._mark(pool, 10_000), self._mark(targets, 0)

    def run(self, attackers: Sequence[str] = ATTACKERS) -> Iterator[AttackCost]:
        """Every cost of some ``ATTACKERS``, as it is found: the yardsticks first.

        Who asks the detector takes minutes a picture. His cost comes after every picture, of the pictures so far; the
        last one counts (``AttackCost.same_attack``).
        """
        groups = (self.yardsticks, self.one_picture, self.many_pictures, self.white_box, self.climber, self.walker)
        for name, group in zip(ATTACKERS, groups, strict=True):
            if name in attackers and (self.queries or name not in ("asks", "walks")):
                yield from group()

    @torch.no_grad()
    def yardsticks(self) -> Iterator[AttackCost]:
        """What anybody does to a picture, and plain noise where the mark is."""
        yield self._cost("JPEG", PLAIN, Jpeg, (70, 50, 30, 20, 10, 5))
        yield self._cost("Gaussian blur", PLAIN, GaussianBlur, (0.7, 1, 1.5, 2, 3, 4))
        yield self._cost("white noise", PLAIN, GaussianNoise, (0.01, 0.02, 0.04, 0.08, 0.16))
        yield self._cost("noise in the mark's band", PLAIN, BandNoise, (0.01, 0.016, 0.025, 0.04, 0.063, 0.1))
        yield self._cost("the mark's band shrunk", PLAIN, BandStop, DEPTHS)

    @torch.no_grad()
    def one_picture(self) -> Iterator[AttackCost]:
        """Combs and denoisers: who has the marked picture and nothing else."""
        for words, settings in (
            ("comb 1/128, .06 to .2", {}),
            ("comb 1/128, .06 to .2, neighbours' mean", {"fill": "neighbours"}),
            ("comb 1/128, .02 to .2", {"low": 0.02}),
            ("comb 1/64, .06 to .2", {"period": 64}),
        ):
            yield self._cost(words, ONE, partial(Comb, **settings), DEPTHS)
        yield self._cost("comb at the period found", ONE, PeriodComb, DEPTHS)
        yield self._cost("Wiener filter", ONE, Wiener, (0.01, 0.02, 0.04, 0.08))
        yield self._cost("DCT shrinkage (a relative of BM3D)", ONE, DctShrinkage, (0.01, 0.02, 0.04, 0.08))
        yield self._cost("denoise and resample", ONE, DenoiseResample, (0.8, 0.6, 0.45, 0.3))

    @torch.no_grad()
    def many_pictures(self) -> Iterator[AttackCost]:
        """Notches of a mean spectrum, aligned means, a surrogate detector: who has many pictures of the key."""
        count = len(self.marked_pool)
        excess = mean_excess(self.marked_pool)
        notch = partial(SpectralNotch, excess=excess)
        bins = int((excess != 0).sum())
        yield self._cost(
            f"notch of the mean spectrum of {count}", MANY, lambda x: notch(int(x)), [bins // n for n in (64, 16, 4, 2)]
        )
        for words, period in (("folded at 128 px", 128), ("whole pictures", None)):
            if period is None or min(self.pool.shape[-2:]) >= period:
                said, build = f"aligned mean of {count}, {words}", self._averaged(self.marked_pool, period)
                yield self._cost(f"{said}, subtracted", MANY, build, FACTORS)
                yield self._cost(f"{said}, added", MANY, partial(_added, build), FACTORS, forges=True)
        others = self._mark(self.pool, 10_000, self.attacker)
        said = f"aligned mean of {count} of another key, whole pictures, subtracted"
        yield self._cost(said, PLAIN, self._averaged(others, None), FACTORS)  # what such a pattern does by itself
        if not self.surrogate_steps:
            return
        learned = train_surrogate(self.marked_pool, self.pool, self.surrogate_steps, batch=8)
        said = f"{STEPS} gradient steps of a surrogate learned from {count} pairs"
        yield self._gradient(said, MANY, learned, raises=False)
        yield self._gradient(said, MANY, learned, raises=True)

    def white_box(self) -> Iterator[AttackCost]:
        """Gradients of the reader itself, under a key that the attacker drew: do they carry over to the owner's?"""
        scheme, codec = self.attacker.scheme, self.attacker.codec
        signs = torch.as_tensor(codec.encode([Payload(PROVIDER, 0)])).to(self.clean.device).float() * 2 - 1

        def agreement(images: Tensor) -> Tensor:
            bits, _ = scheme.climbed(images)
            return (bits * signs).sum(1) / bits.norm(dim=1).clamp_min(1e-9)

        def loudness(images: Tensor) -> Tensor:
            return scheme.climbed(images)[1]

        said = f"{STEPS} gradient steps of the reader under another key"
        try:
            yield self._gradient(f"{said}: agreement", BOX, agreement, raises=False)
            yield self._gradient(f"{said}: loudness", BOX, loudness, raises=False)
            yield self._gradient(f"{said}: agreement", BOX, agreement, raises=True)
        except RuntimeError as error:
            if "does not require grad" not in str(error):  # autograd's way of saying that the reader gives no gradient
                raise

    @torch.no_grad()
    def climber(self) -> Iterator[AttackCost]:
        """Hill climbing with the evidence of a detector that answers as a guide."""
        yield from self._climbed(LOST, self.marked, raises=False)
        yield from self._climbed(FORGED, self.clean, raises=True)

    @torch.no_grad()
    def walker(self) -> Iterator[AttackCost]:
        """Along the boundary of a detector that says yes or no alone."""
        marked = lambda picture: self._detect(picture)[0].is_marked  # noqa: E731
        cost = partial(AttackCost, self.name, f"boundary walk, {self.queries} queries of yes or no", ASKS, LOST)
        walk = lambda one: boundary(one[None], marked, self.queries, self.generator).picture  # noqa: E731
        for rung in self._grown(float(self.queries), map(walk, self.marked), self.marked, forges=False):
            yield cost("queries", (rung,))

    def _climbed(self, wants: str, pictures: Tensor, raises: bool) -> Iterator[AttackCost]:
        """SPSA at every damage that is allowed."""
        evidence = lambda picture: -self._detect(picture)[0].log10_p  # noqa: E731
        least = -math.log10(self.marker.detector.false_positive_rate)
        climb = partial(spsa, evidence=evidence, goal=least, queries=self.queries, raises=raises)
        cost = partial(AttackCost, self.name, f"SPSA, {self.queries} queries of log10 p", ASKS, wants, "dB allowed")
        rungs: tuple[Rung, ...] = ()
        for decibels in self.query_psnr:
            done, at = rungs, partial(climb, decibels=decibels, generator=self.generator)
            for rung in self._grown(decibels, (at(one[None]).picture for one in pictures), pictures, raises):
                rungs = (*done, rung)
                yield cost(rungs)

    def _gradient(self, said: str, knows: str, score: Callable[[Tensor], Tensor], raises: bool) -> AttackCost:
        build = lambda epsilon: ProjectedGradient(epsilon, score, steps=STEPS, raises=raises)  # noqa: E731
        return self._cost(f"{said}, {'raised' if raises else 'lowered'}", knows, build, EPSILONS, forges=raises)

    def _cost(
        self, said: str, knows: str, build: Build, strengths: Sequence[float], forges: bool = False
    ) -> AttackCost:
        start, rungs = (self.clean if forges else self.marked), []
        for strength in strengths:
            attack = build(strength)
            attacked = torch.cat([attack(one[None], self.generator) for one in start])
            rungs.append(self._rung(strength, attacked, start, forges))
        return AttackCost(self.name, said, knows, FORGED if forges else LOST, attack.unit, tuple(rungs))

    def _rung(self, strength: float, attacked: Tensor, start: Tensor, forges: bool) -> Rung:
        attacked = to_8bit(attacked)
        found = [self._detect(one[None])[0] for one in attacked]
        lost = [not f.is_marked or f.content_id not in (None, number) for number, f in enumerate(found)]
        wins = sum(f.is_marked for f in found) if forges else sum(lost)
        return Rung(strength, wins, len(found), float(psnr(attacked, start).clamp(max=99).mean()))

    def _grown(self, strength: float, attacked: Iterable[Tensor], start: Tensor, forges: bool) -> Iterator[Rung]:
        """One strength, of the first picture, of the first two, and so on: ``attacked`` takes minutes for each."""
        found: list[Tensor] = []
        for picture in attacked:
            found.append(picture)
            yield self._rung(strength, torch.cat(found), start[: len(found)], forges)

    def _detect(self, images: Tensor) -> list[Detection]:
        return self.marker.detect(images)

    def _averaged(self, marked: Tensor, period: int | None) -> Build:
        return partial(SubtractPattern, pattern=aligned_mean((residual(one[None])[0] for one in marked), period))

    def _mark(self, images: Tensor, first: int, marker: Watermarker | None = None) -> Tensor:
        marker = marker or self.marker
        marked = [marker.embed(one[None], PROVIDER, first + number) for number, one in enumerate(images)]
        return to_8bit(torch.cat(marked))


def _added(build: Build, factor: float) -> Attack:
    """An attack that subtracts, made to add."""
    return build(-factor)
