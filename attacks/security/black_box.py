"""Hill climbing against a detector that answers: with its evidence as a guide (SPSA), or with yes and no alone."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from attacks.base import Attack
from attacks.compression import Jpeg
from attacks.filters import GaussianBlur
from attacks.noise import GaussianNoise
from attacks.security.band import HIGH, LOW, BandNoise, in_band

Evidence = Callable[[Tensor], float]
"""One picture ``(1, 3, H, W)`` to how surely it is marked, larger means more surely."""
Marked = Callable[[Tensor], bool]
"""One picture ``(1, 3, H, W)`` to whether the detector says that it is marked."""


LOOK = 5
"""Steps of SPSA between two looks at where it is."""


STARTS = (Jpeg(10), Jpeg(5), GaussianBlur(4.0), GaussianNoise(0.16), GaussianNoise(0.3), BandNoise(0.3))
"""What takes a mark off anyhow: a boundary walk begins where the least of it does."""


@dataclass
class Climb:
    """Where a search ended.

    Attributes:
        picture: ``(1, 3, H, W)``, rounded to 8 bits.
        queries: how often the detector was asked.
        won: whether the last answer was the one that was wanted.
        trace: what the search says of its progress, see there.
    """

    picture: Tensor
    queries: int = 0
    won: bool = False
    trace: list[float] = field(default_factory=list)


def spsa(
    image: Tensor,
    evidence: Evidence,
    goal: float,
    queries: int,
    decibels: float,
    generator: torch.Generator,
    *,
    raises: bool = False,
) -> Climb:
    """Lower (or raise) a detector's evidence by simultaneous perturbation (Spall, 1992), within a PSNR.

    Each step asks about the picture with a random pattern of the mark's band added and subtracted, and takes the one
    that is better into a sum. The sum, brought to the damage that is allowed, is the change: of a detector that adds
    up its evidence no better use can be made of so many answers.

    Args:
        image: ``(1, 3, H, W)``.
        evidence: see ``Evidence``; asked ``queries`` times at most.
        goal: evidence at or below which (above which, with ``raises``) the attacker has won.
        queries: that he may ask.
        decibels: least PSNR to ``image`` that he accepts.
        generator: of everything random; on the CPU.
        raises: forge, not remove.

    Returns:
        Where it ended; ``trace`` holds the evidence at every fifth step.
    """
    radius = 10 ** (-decibels / 20)  # RMS of the change
    wanted = 1 if raises else -1
    total, result = torch.zeros_like(image), Climb(_rounded(image))
    steps = 0
    while result.queries + 3 <= queries and not result.won:
        pattern = _band_pattern(image, generator)
        change = total * (radius / total.square().mean().sqrt().clamp_min(1e-12))
        up, down = (evidence(_rounded(image + change + step * radius / 2 * pattern)) for step in (1.0, -1.0))
        total, result.queries, steps = total + wanted * _sign(up - down) * pattern, result.queries + 2, steps + 1
        if steps % LOOK == 0 or result.queries + 3 > queries:
            change = total * (radius / total.square().mean().sqrt().clamp_min(1e-12))
            result.picture = _rounded(image + change)
            result.trace.append(evidence(result.picture))
            result.queries += 1
            result.won = wanted * (result.trace[-1] - goal) >= 0
    return result


def boundary(
    image: Tensor, is_marked: Marked, queries: int, generator: torch.Generator, *, starts: Sequence[Attack] = STARTS
) -> Climb:
    """Walk along a detector's boundary towards the picture (Brendel, Rauber and Bethge, 2018); yes and no are enough.

    Tries what takes a mark off anyhow and halves the way back from each that did. From the nearest of them it takes
    random steps on the sphere around the picture and towards it, and keeps what is not found.

    Args:
        image: ``(1, 3, H, W)``, marked.
        is_marked: see ``Marked``; asked ``queries`` times at most.
        queries: that he may ask.
        generator: of everything random; on the CPU.
        starts: attacks to begin with, each asked about once.

    Returns:
        The closest picture found without a mark; ``won`` says whether there is any, ``trace`` its PSNR step by step.
    """
    result = Climb(_rounded(image))

    def lost(picture: Tensor) -> bool:
        result.queries += 1
        return not is_marked(_rounded(picture))

    def halved(change: Tensor) -> Tensor:
        near, far = 0.0, 1.0  # shares of the change
        while far - near > 0.02 and result.queries < queries:
            middle = (near + far) / 2
            near, far = (near, middle) if lost(image + middle * change) else (middle, far)
        return far * change

    changes = [start(image, generator) - image for start in starts]
    changes = [halved(change) for change in changes if result.queries < queries and lost(image + change)]
    if not changes:
        return result
    change, step = min(changes, key=lambda one: float(one.square().mean())), 0.3
    while result.queries < queries:
        rms = change.square().mean().sqrt()
        aside = step * rms * _band_pattern(image, generator)
        aside = aside - change * (aside * change).sum() / change.square().sum()
        tried = change + aside
        tried = tried * (rms / tried.square().mean().sqrt()) * (1 - 0.1 * step)
        kept = lost(image + tried)
        change, step = (tried, min(1.0, 1.2 * step)) if kept else (change, max(0.02, 0.9 * step))
        if kept:
            result.trace.append(-20 * math.log10(float(change.square().mean().sqrt())))
    result.picture, result.won = _rounded(image + change), True
    return result


def _band_pattern(image: Tensor, generator: torch.Generator) -> Tensor:
    """A random pattern of the mark's band in grey, RMS 1, ``(1, 1, H, W)``."""
    height, width = image.shape[-2:]
    white = torch.randn(1, 1, height, width, generator=generator).to(image)
    pattern = torch.fft.rfft2(white) * in_band(height, width, LOW, HIGH, image)
    pattern = torch.fft.irfft2(pattern, s=(height, width))
    return pattern / pattern.square().mean().sqrt().clamp_min(1e-12)


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)


def _rounded(picture: Tensor) -> Tensor:
    return (picture.clamp(0, 1) * 255).round() / 255
