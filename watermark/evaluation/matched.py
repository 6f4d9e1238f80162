"""Every scheme at one quality: each picture is marked as strongly as looks as good as was asked, and no more.

Two schemes at one PSNR are not yet alike to an eye, so that any measure of quality may be what is matched. A scheme has
one dial, ``target_psnr``; the strength of a picture is found on it by bisection.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from watermark.codec import Payload
from watermark.data.spread import spread
from watermark.errors import UserError
from watermark.images import to_8bit
from watermark.metrics.perceptual import MEASURES, Measure, perceptual
from watermark.metrics.psnr import psnr
from watermark.metrics.ssim import ssim
from watermark.watermarker import Watermarker

if TYPE_CHECKING:
    from watermark.evaluation.job import Job

PROTOCOLS = ("own", "matched")
STRONGEST, FAINTEST, USUAL = 28.0, 60.0, 42.0
"""dB: the ends of the dial, and where a search begins that knows no better."""
STEP, FINEST = 2.0, 0.02
"""dB: of the first step from there, and what is no longer halved."""
PICTURES = 6
"""That set the one strength of a scheme whose reader must know it."""


@dataclass(frozen=True)
class Scale:
    """A measure that can be matched.

    Attributes:
        usual: what is asked for where nothing is said.
        tolerance: how near counts as there.
        better: 1 if higher values look better, -1 if lower ones do.
    """

    usual: float
    tolerance: float
    better: int = 1


SCALES = {
    "psnr": Scale(42.0, 0.1),
    "ssim": Scale(0.985, 0.0005),
    "ssimulacra2": Scale(75.0, 0.5),
    "flip": Scale(0.04, 0.0005, better=-1),
    "cvvdp": Scale(9.75, 0.01),
    "lpips": Scale(0.02, 0.0005, better=-1),
    "dists": Scale(0.02, 0.0005, better=-1),
}


@dataclass(frozen=True)
class Match:
    """What every marked picture is brought to.

    Attributes:
        by: name of the measure.
        at: its value.
        measure: the marked and the original pictures to ``(N,)``.
    """

    by: str
    at: float
    measure: Measure

    @classmethod
    def of(cls, config: dict[str, Any], device: torch.device) -> "Match | None":
        """What a resolved configuration asks for, or None.

        Raises:
            UserError: for an unknown protocol or measure, one that does not run here, or two qualities at once.
        """
        protocol = config.get("protocol", "own")
        if protocol not in PROTOCOLS:
            raise UserError(f"protocol: expected one of {', '.join(PROTOCOLS)}, got {protocol!r}")
        if protocol == "own":
            return None
        by, at = config.get("matched_by", "psnr"), config.get("matched_at")
        if by not in SCALES:
            raise UserError(f"matched_by: expected one of {', '.join(SCALES)}, got {by!r}")
        if config.get("target_psnr") is not None:
            raise UserError("target_psnr: protocol=matched says it by matched_at")
        at = SCALES[by].usual if at is None else float(at)
        if by == "psnr" and not STRONGEST <= at <= FAINTEST:
            raise UserError(f"matched_at: expected {STRONGEST:g} to {FAINTEST:g} dB, got {at:g}")
        own: dict[str, Measure] = {"psnr": psnr, "ssim": ssim}
        return cls(by, at, perceptual(by, device) if by in MEASURES else own[by])

    @property
    def start(self) -> float:
        """Where on the dial the search begins, dB."""
        return self.at if self.by == "psnr" else USUAL

    def gap(self, marked: Tensor, original: Tensor) -> float:
        """By how much pictures are marked more faintly than asked, on average, in tolerances; negative: too visibly."""
        scale = SCALES[self.by]
        values = self.measure(marked, original).double().clamp(-1e6, 1e6)  # equal pictures have no PSNR
        return float((values.mean() - self.at) * scale.better) / scale.tolerance

    @torch.no_grad()
    def target(self, marker: Watermarker, original: Tensor, payload: Payload) -> float:
        """The ``target_psnr`` that brings one picture ``(1, 3, H, W)`` there.

        Where a scheme by its own rule marks it more faintly than asked at any strength, that is as near as it gets.

        Raises:
            UserError: if the picture is marked too visibly at any strength.
        """

        def gap(db: float) -> float:
            marker.scheme.target_psnr = db
            return self.gap(to_8bit(marker.embed_batch(original, [payload])), original)

        found, left = dial(gap, self.start)
        if left < -1:
            value = self.at + left * SCALES[self.by].tolerance * SCALES[self.by].better
            raise UserError(f"cannot be brought to {self.by} {self.at:g}: at its faintest it has {value:.4g}")
        return found


def dial(gap: Callable[[float], float], start: float) -> tuple[float, float]:
    """Where on the dial ``gap`` is about 0 (within 1), or the nearest at which it is above.

    Args:
        gap: rises with dB, or stays.
        start: dB, looked at first; then steps that double, then halves.

    Returns:
        dB, and the gap there.
    """
    here, left = start, gap(start)
    if abs(left) <= 1:
        return here, left
    towards, step, low, high = (-1 if left > 0 else 1), STEP, (here, left), (here, left)
    while True:
        there = min(max(here + towards * step, STRONGEST), FAINTEST)
        end = there, gap(there)
        low, high = (end, high) if towards < 0 else (low, end)
        if (end[1] > 0) != (left > 0) or there in (STRONGEST, FAINTEST):
            break
        step *= 2
    if low[1] > 0:  # never too visible: the strongest there is
        return low
    while high[0] - low[0] > FINEST and not -1 <= high[1] <= 1:
        middle = (low[0] + high[0]) / 2
        found = middle, gap(middle)
        if -1 <= found[1] <= 1:
            return found
        low, high = (found, high) if found[1] < 0 else (low, found)
    return high


def prepared(job: "Job") -> tuple[dict[str, Any], list[str]]:
    """The configuration with every scheme's dial where its search begins, and what is to be said of schemes.

    A scheme without a dial is left out. A quantiser's reader must know how strongly pictures were marked: its one
    strength is that which brings some of them there on average, and each is then brought as near as that allows.

    Raises:
        UserError: if no scheme is left.
    """
    match, schemes, said = job.match, {}, []
    if match is None:
        return job.config, []
    for name, settings in job.config["schemes"].items():
        strength = "fixed" if name in job.outside else job.marker(name).scheme.strength
        if strength == "fixed":
            said.append(
                f"{name} cannot be brought to {match.by} {match.at:g}, for it has no dial of that kind: left out"
            )
            continue
        free: dict[str, Any] = {setting: None for setting in ("step", "target_evidence") if setting in settings}
        schemes[name] = {**settings, **free, "target_psnr": match.start}
        if strength == "shared" and match.by != "psnr":
            db, left = _shared(job, match, name, free)
            schemes[name]["target_psnr"] = round(db, 2)
            if abs(left) > 1:
                said.append(f"{name} is {'more faintly' if left > 0 else 'more visibly'} marked than asked, on average")
    if not schemes:
        raise UserError("; ".join(said))
    return {**job.config, "schemes": schemes, "matched_at": match.at}, said


@torch.no_grad()
def _shared(job: "Job", match: Match, name: str, free: dict[str, Any]) -> tuple[float, float]:
    """The one ``target_psnr`` of a scheme, and how far some pictures then are from where they should be on average."""
    chosen = spread(PICTURES, len(job.images.infos))
    pictures = [(job.images.load(i).to(job.device), job.payload(job.images.infos[i])) for i in chosen]

    def gap(db: float) -> float:
        marker = job.marker(name, target_psnr=db, **free)
        return mean(match.gap(to_8bit(marker.embed_batch(image, [of])), image) for image, of in pictures)

    return dial(gap, match.start)
