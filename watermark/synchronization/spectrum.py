"""One Fourier transform of a whitened picture, in which every geometry is a look-up."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from scipy.fft import next_fast_len
from torch import Tensor

from watermark.synchronization.settings import NYQUIST, POWER_LIMIT, SMOOTHING

_MARGIN = 2  # extra columns on the left, rows at both ends: the four interpolation taps never leave the grid
_OUTSIDE = 9.0  # cycles per px


class Spectrum:
    """The normalised Fourier transform of maps, read at any frequency.

    Values are divided by the local RMS of the transform, so that a place without a line has unit mean power and a
    coherent sum of lines is a number of standard deviations. Phases refer to the middle of the picture.

    Args:
        maps: ``(N, H, W)`` real, zero mean, as a whitening gives them.
    """

    size: tuple[int, int]
    """Height and width of the maps."""
    _grid: Tensor  # (N, rows + 4, columns / 2 + 3) complex: all rows, half the columns, with margins
    _power: Tensor | None  # of the grid, limited; made when it is first asked for

    def __init__(self, maps: Tensor) -> None:
        self.size = (maps.shape[-2], maps.shape[-1])
        rows, columns = (2 * next_fast_len((n + 1) // 2 * 2, real=True) for n in self.size)
        half = torch.fft.rfft2(maps, s=(rows, columns))  # (N, rows, columns/2 + 1)
        half = half * _inverse_rms(half, SMOOTHING * rows, SMOOTHING * columns)
        half = torch.fft.fftshift(half, dim=1)
        half *= _from_middle(rows, -(rows // 2), self.size[0], half.device)[:, None]
        half *= _from_middle(columns, 0, self.size[1], half.device)[: half.shape[2]]
        mirrored = half[:, :, 1 : _MARGIN + 1].flip(1, 2).roll(1, 1).conj()  # F(-f) = conj F(f)
        whole = torch.cat([mirrored, half], dim=2)
        self._grid = torch.cat([whole[:, -_MARGIN:], whole, whole[:, :_MARGIN]], 1)  # rows are periodic
        self._power = None

    @classmethod
    def _of(cls, grid: Tensor, size: tuple[int, int]) -> "Spectrum":
        made = cls.__new__(cls)
        made._grid, made.size, made._power = grid, size, None
        return made

    def __len__(self) -> int:
        return len(self._grid)

    @property
    def device(self) -> torch.device:
        """Where the maps live."""
        return self._grid.device

    def select(self, keep: Tensor | slice) -> "Spectrum":
        """The spectra of some of the maps, a mask or a list of indices; where these are all nothing is copied."""
        every = torch.arange(len(self), device=self.device)
        if torch.equal(every[keep], every):
            return self
        return Spectrum._of(self._grid[keep], self.size)

    @staticmethod
    def joined(chosen: Sequence["Spectrum"]) -> "Spectrum":
        """The spectra of all maps, which must be of one size, one after another."""
        return Spectrum._of(torch.cat([one._grid for one in chosen]), chosen[0].size)

    def plus(self, other: "Spectrum", sign: float = 1.0) -> "Spectrum":
        """The sum with another plane of the same pictures, at unit noise: stronger where both planes kept the mark.

        With ``sign`` -1 the other plane is taken upside down.
        """
        if self._grid.shape != other._grid.shape:
            raise ValueError(f"expected maps of one size and number, got {self.size} and {other.size}")
        return Spectrum._of((self._grid + sign * other._grid) * 0.5**0.5, self.size)

    def at(self, frequencies: Tensor) -> Tensor:
        """Look lines up by cubic interpolation.

        Args:
            frequencies: ``(N, ..., 2)`` cycles per px along x and y.

        Returns:
            ``(N, ...)`` complex; zero beyond Nyquist.
        """
        flipped = frequencies[..., 0] < 0
        places = self._places(torch.where(flipped[..., None], -frequencies, frequencies)).flatten(1, -2)
        grid = torch.view_as_real(self._grid).permute(0, 3, 1, 2)
        found = F.grid_sample(grid, places[:, None], mode="bicubic", align_corners=True)[:, :, 0]
        found = found.view(len(self), 2, *flipped.shape[1:]) * (frequencies.abs().amax(-1) < NYQUIST)[:, None]
        return torch.complex(found[:, 0], torch.where(flipped, -found[:, 1], found[:, 1]))

    def power(self, frequencies: Tensor) -> Tensor:
        """Limited power at frequencies ``(R, C, 2)`` or ``(N, R, C, 2)``, bilinear.

        Returns:
            ``(N, R, C)`` of mean 1, and 0 beyond Nyquist.
        """
        return self.power_on(raster(frequencies))

    def power_on(self, places: Tensor) -> Tensor:
        """``power`` at what ``raster`` makes of the frequencies, once for many spectra."""
        if self._power is None:
            self._power = (self._grid.real.square() + self._grid.imag.square()).clamp_(max=POWER_LIMIT)[:, None]
        return F.grid_sample(self._power, self._places(places).expand(len(self), -1, -1, -1), align_corners=True)[:, 0]

    def flattened(self) -> "Spectrum":
        """The same, divided by its local RMS once more.

        One pass leaves a steep spectrum loud next to its slopes, and power summed over lines half as noisy again.
        """
        rows, columns = self._grid.shape[1] - 2 * _MARGIN, 2 * (self._grid.shape[2] - _MARGIN - 1)
        return Spectrum._of(self._grid * _inverse_rms(self._grid, SMOOTHING * rows, SMOOTHING * columns), self.size)

    def _places(self, frequencies: Tensor) -> Tensor:
        """Where frequencies ``(..., 2)`` with ``x >= 0`` lie in the grid, from -1 to 1 along each of its sides."""
        height, width = self._grid.shape[1:]
        rows, columns = height - 2 * _MARGIN, 2 * (width - _MARGIN - 1)
        x, y = 2 / (width - 1), 2 / (height - 1)
        steps = frequencies.new_tensor([columns * x, rows * y])
        first = frequencies.new_tensor([_MARGIN * x - 1, (rows // 2 + _MARGIN) * y - 1])
        lines = frequencies.flatten(-2)  # long lines are moved several times faster than pairs
        count = frequencies.shape[-2]
        moved = torch.addcmul(first.repeat(count), lines, steps.repeat(count))
        return moved.unflatten(-1, (count, 2)).to(self._grid.real.dtype)


def raster(frequencies: Tensor) -> Tensor:
    """Frequencies ``(..., 2)``, cycles per px, as ``Spectrum.power_on`` takes them.

    Power is the same at a frequency and its negative, so ``x >= 0``; what lies beyond Nyquist lies outside of any grid.
    """
    upright = torch.where(frequencies[..., :1] < 0, -frequencies, frequencies)
    return torch.where(frequencies.abs().amax(-1, keepdim=True) < NYQUIST, upright, _OUTSIDE).float()


def spectra(maps: Tensor) -> tuple[Spectrum, ...]:
    """The spectra of every plane of maps ``(N, P, H, W)``."""
    return tuple(Spectrum(plane) for plane in maps.unbind(1))


def _from_middle(length: int, first: int, size: int, device: torch.device) -> Tensor:
    """The phase factors of ``length`` bins, from bin ``first``, that count places from the middle of ``size`` px."""
    bins = torch.arange(first, first + length, device=device)
    turns = bins * (size - 1) % (2 * length) / (2 * length)
    return torch.polar(torch.ones_like(turns), 2 * math.pi * turns)


def _inverse_rms(half: Tensor, rows: float, columns: float) -> Tensor:
    """One over the root mean power of a half spectrum around each bin, ``(N, R, C)``, from block means.

    Args:
        half: ``(N, R, C)``.
        rows: bins over which about it is taken,
        columns: and along the other side.
    """
    power = (half.real.square() + half.imag.square())[:, None]
    cell = (max(1, round(rows / 3)), max(1, round(columns / 3)))
    means = F.avg_pool2d(power, cell, ceil_mode=True, count_include_pad=False)
    wrapped = torch.cat([means[:, :, -1:], means, means[:, :, :1]], 2)  # rows are periodic
    smooth = F.avg_pool2d(F.pad(wrapped, (1, 1, 0, 0), mode="replicate"), 3, 1)
    full = F.interpolate(smooth, scale_factor=cell, mode="bilinear", align_corners=False)
    full = full[:, 0, : power.shape[2], : power.shape[3]]
    return full.clamp_min(1e-12 * (1 + float(power.detach().amax()))).rsqrt()
