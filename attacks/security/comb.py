"""A mark that repeats lies on a lattice of frequencies: blank those, and all of it is gone."""

import math

import torch
from torch import Tensor

from attacks.base import Generators
from attacks.functional.filters import box_blur, gaussian_blur
from attacks.security.band import HIGH, LOW, Shrinking, in_band

FILLS = ("blank", "neighbours")
AROUND = 24
"""DFT bins to each side that a bin's power is compared with when a period is looked for."""
STANDS_OUT = 6.0
"""Standard deviations; unmarked photographs reach 5 to 7."""
REACH = 0.75
"""DFT bins from a lattice frequency within which a bin is taken to hold it."""
Vector = tuple[float, float]
"""``(down, across)`` px."""


class _Comb(Shrinking):
    """What both combs share: the bins of a lattice, and what is put in the place of what goes."""

    def __init__(self, depth: float, low: float, high: float, fill: str) -> None:
        if fill not in FILLS:
            raise ValueError(f"fill must be one of {FILLS}, got {fill!r}")
        super().__init__(depth, low, high)
        self.fill = fill

    def _blank(self, images: Tensor, periods: tuple[Vector, Vector]) -> Tensor:
        """Shrink the bins of a lattice towards nothing, or towards the mean of the bins around them."""
        height, width = images.shape[-2:]
        teeth = lattice_bins(height, width, periods, self.low, self.high).to(images.device)
        spectrum = torch.fft.fft2(images)
        target = torch.zeros_like(spectrum) if self.fill == "blank" else _mean_around(spectrum, ~teeth)
        return torch.fft.ifft2(torch.where(teeth, spectrum.lerp(target, self.strength), spectrum)).real


class Comb(_Comb):
    """Blank the frequencies of an assumed square lattice in each colour plane; the picture must not be scaled.

    Args:
        depth: share of each of those frequencies that is taken away, 0 to 1; 0 changes nothing.
        period: px after which the mark is assumed to repeat, both ways.
        low: least radial frequency that is touched, cycles per px.
        high: greatest.
        fill: ``blank``, or ``neighbours``: the mean of the bins around takes the place of what goes.
    """

    reproduces = "what anybody can do to a mark with a public period: one transform, the bins of its lattice"

    def __init__(
        self, depth: float, period: float = 128, low: float = LOW, high: float = HIGH, fill: str = "blank"
    ) -> None:
        super().__init__(depth, low, high, fill)
        if not 4 <= period <= 4096:
            raise ValueError(f"period must be in 4..4096 px, got {period}")
        self.period = float(period)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """All pictures at once: the lattice is the same."""
        return self._blank(images, ((self.period, 0.0), (0.0, self.period)))


class PeriodComb(_Comb):
    """Look for a period in each picture's autocorrelation, then comb at what was found, whatever its scale or angle.

    Args:
        depth: share of each frequency of the lattice found that is taken away, 0 to 1; 0 changes nothing.
        shortest: px, of the periods that are looked for.
        low: least radial frequency that is touched, cycles per px.
        high: greatest.
        fill: ``blank`` or ``neighbours``.
    """

    reproduces = "autocorrelation attack on periodic marks (Kutter, 1998, turned against the mark), then a comb"

    def __init__(
        self, depth: float, shortest: int = 48, low: float = LOW, high: float = HIGH, fill: str = "blank"
    ) -> None:
        super().__init__(depth, low, high, fill)
        self.shortest = shortest

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """One after the other: each has its own lattice."""
        found = [find_period(image, self.shortest, self.low, self.high) for image in images.detach()]
        return torch.cat([self._blank(one[None], periods) for one, (periods, _) in zip(images, found, strict=True)])


def lattice_bins(height: int, width: int, periods: tuple[Vector, Vector], low: float, high: float) -> Tensor:
    """Which bins of ``fft2`` hold a frequency of the lattice with these periods, ``(H, W)`` bool.

    A wave repeats after ``v`` if its frequency ``f`` makes ``f . v`` whole. From one bin to the next ``f . v`` moves by
    ``|v_y| / H`` or ``|v_x| / W``, which is the tolerance.
    """
    down, across = (
        torch.fft.fftfreq(height, dtype=torch.float64)[:, None],
        torch.fft.fftfreq(width, dtype=torch.float64),
    )
    at = (down.square() + across.square()).sqrt()
    bins = (at >= low) & (at <= high)
    for along_y, along_x in periods:
        phase = down * along_y + across * along_x
        bins &= (phase - phase.round()).abs() < REACH * math.hypot(along_y / height, along_x / width)
    return bins


def find_period(
    image: Tensor, shortest: int = 48, low: float = LOW, high: float = HIGH
) -> tuple[tuple[Vector, Vector], float]:
    """The shifts after which a picture ``(3, H, W)`` is most like itself, and how much the first one stands out.

    What repeats in a picture by itself is in the way: local contrast is divided out, then each frequency's power by
    that of its surroundings, so that only narrow lines are left, and only those of the band count.

    Returns:
        Two periods ``(down, across)``, px to a fraction: the best, and the same turned by 90 degrees unless another one
        stands out half as much; and the height of the first in standard deviations of all.
    """
    height, width = image.shape[-2:]
    longest = min(height, width) // 2
    if longest <= shortest:
        return ((float(shortest), 0.0), (0.0, float(shortest))), 0.0
    likeness = _likeness(image, low, high)  # (2H, 2W), no shift in the middle
    down = torch.arange(-height, height, device=image.device)[:, None]
    across = torch.arange(-width, width, device=image.device)
    distance = (down.square() + across.square()).sqrt()
    looked_at = (distance >= shortest) & (distance <= longest) & ((down > 0) | ((down == 0) & (across > 0)))
    spread = float(likeness[looked_at].std().clamp_min(1e-12))
    first, top = _peak(likeness, looked_at)
    first = _sharpened(likeness, first, spread)
    aside = (down * first[1] - across * first[0]).abs() / math.hypot(*first)  # px off the line through the first
    second, next_top = _peak(likeness, looked_at & (aside > shortest / 2))
    if next_top < max(STANDS_OUT * spread, top / 2):
        second = (first[1], -first[0])
    return (first, second), top / spread


def _sharpened(likeness: Tensor, period: Vector, spread: float) -> Vector:
    """A period from where its multiples lie, as far out as they can be seen: a multiple shares the error out."""
    height, width = (n // 2 for n in likeness.shape)
    for times in (2, 3, 4):
        row, column = (round(times * step) for step in period)
        if not (abs(row) < 0.8 * height and abs(column) < 0.8 * width):
            break
        near = torch.zeros_like(likeness, dtype=torch.bool)
        near[row + height - 2 : row + height + 3, column + width - 2 : column + width + 3] = True
        place, top = _peak(likeness, near)
        if top < STANDS_OUT / 2 * spread:
            break
        period = (place[0] / times, place[1] / times)
    return period


def _likeness(image: Tensor, low: float, high: float) -> Tensor:
    """Autocorrelation of what is narrow in the spectrum, ``(2H, 2W)``."""
    grey = image.mean(0)[None, None]
    detail = grey - gaussian_blur(grey, 2.0)
    flat = (detail / (box_blur(detail.square(), 4) + 1e-6).sqrt()).clamp(-3, 3)[0, 0]
    size = (2 * flat.shape[0], 2 * flat.shape[1])
    power = torch.fft.rfft2(flat, s=size).abs().square()
    around = box_blur(power[None, None], AROUND)[0, 0].clamp_min(1e-9)
    narrow = ((power / around).clamp(max=6) - 1) * in_band(size[0], size[1], low, high, flat)
    return torch.fft.fftshift(torch.fft.irfft2(narrow, s=size))


def _peak(likeness: Tensor, looked_at: Tensor) -> tuple[Vector, float]:
    """Place and height of the greatest value; to a fraction of a px by a parabola each way, from the plane's middle."""
    height, width = likeness.shape
    place = int(torch.where(looked_at, likeness, -torch.inf).argmax())
    row, column = divmod(place, width)
    rows = [float(likeness[(row + step) % height, column]) for step in (-1, 0, 1)]
    columns = [float(likeness[row, (column + step) % width]) for step in (-1, 0, 1)]
    return (row + _vertex(rows) - height // 2, column + _vertex(columns) - width // 2), rows[1]


def _vertex(values: list[float]) -> float:
    before, middle, after = values
    bend = before - 2 * middle + after
    return 0.0 if bend >= 0 else max(-0.5, min(0.5, (before - after) / (2 * bend)))


def _mean_around(spectrum: Tensor, free: Tensor) -> Tensor:
    """Mean of the free bins among the eight around each bin, ``(N, 3, H, W)`` complex."""
    total, count = torch.zeros_like(spectrum), torch.zeros(free.shape, device=free.device)
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            count += torch.roll(free, (down, across), (0, 1))
            total += torch.roll(spectrum * free, (down, across), (-2, -1))
    return total / count.clamp_min(1)
