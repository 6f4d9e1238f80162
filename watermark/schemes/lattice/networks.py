"""What is trained in the learned schemes: where energy goes, how pictures are cleaned, how lines are weighed.

Each part starts as a classical block that already works (a local normalisation of 8x8 cosine coefficients, an activity
mask, a flat spectrum, a matched filter) and adds small corrections whose last layer starts at zero. Training therefore
begins at a working detector and can only be judged by what it adds. The whitening is odd in its input: turning the
sign of the picture turns the sign of the map, so no part can prefer one message over another.
"""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.fft import dctn
from torch import Tensor, nn

from watermark.schemes.lattice.carriers import Carriers
from watermark.transforms.jnd import canonical_luma, plane_mask, texture_share
from watermark.transforms.neighbours import local_mean
from watermark.transforms.overlap import overlap_add

PLANES = 2
"""Colour planes that carry the mark: luma, and minus blue difference at constant luma."""
LIMIT = 2.0
"""No coefficient counts for more than this many times its local strength, as in ``LocalDctWhitening``."""
# The networks were trained with the numbers below; others would need other weights. They bring inputs to about -2 to 2
# and bound outputs, so that no picture, however strange, drives a network to where it never was.
VOTES = 3.0
"""Deviations of a ring's pilot that make one unit of a feature."""
BOLDEST = 4.0
"""The networks raise or lower no ring of lines by more than e to this."""


class Profile(nn.Module):
    """A smooth function of frequency: ``knots`` values over the radius plus as many times cos(4 angle), per plane.

    Args:
        low: inner radius of the band, cycles per canonical pixel.
        high: outer radius.
        knots: number of knots, linearly interpolated.
        start: initial value of each plane.
    """

    alike = False
    """See ``FlatSpectrum``."""

    def __init__(self, low: float, high: float, knots: int, start: tuple[float, ...]) -> None:
        super().__init__()
        self.low, self.high, self.knots = low, high, knots
        values = torch.zeros(len(start), 2, knots)
        values[:, 0] = torch.tensor(start)[:, None]
        self.values = nn.Parameter(values)

    def basis(self, radius: Tensor) -> Tensor:
        """Interpolation weights ``(L, knots)`` of the knots at each radius."""
        position = ((radius - self.low) / (self.high - self.low) * (self.knots - 1)).clamp(0, self.knots - 1)
        return (1 - (position[:, None] - torch.arange(self.knots, device=radius.device)).abs()).clamp_min(0)

    def forward(self, radius: Tensor, angle: Tensor) -> Tensor:
        """Values ``(planes, L)`` at polar frequencies ``radius`` (cycles per pixel) and ``angle`` (radians)."""
        basis = self.basis(radius)
        return self.values[:, 0] @ basis.T + (self.values[:, 1] @ basis.T) * torch.cos(4 * angle)


class BlockWhitening(nn.Module):
    """Turn one plane into a map in which the host is noise of even strength, in overlapped 8x8 cosine blocks.

    Classical start: every coefficient of the band is divided by its local root mean square, limited, and divided a
    little further where the picture is busy. Learned: the exponents and floors, a gain from the local energies of all
    coefficients (a small CNN on the block grid), and a linear prediction from neighbouring coefficients.

    Args:
        high: coefficients up to this radial frequency (cycles per pixel) are kept.
        width: channels of the CNN; 0 leaves the CNN and the linear prediction out.
    """

    stride = 4
    basis: Tensor

    def __init__(self, high: float = 0.3, width: int = 24) -> None:
        super().__init__()
        filters = [dctn(impulse, norm="ortho") for impulse in np.eye(64).reshape(64, 8, 8)]  # pixel -> coefficients
        basis = torch.tensor(np.stack(filters), dtype=torch.float32).permute(1, 2, 0).reshape(64, 8, 8)  # (uv, y, x)
        rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
        radius = (rows.square() + columns.square()).sqrt().flatten() / 16
        kept = (radius > 0) & (radius <= high)
        self.register_buffer("basis", basis[kept][:, None].contiguous(), persistent=False)  # (C, 1, 8, 8)
        count = int(kept.sum())
        self.exponent = nn.Parameter(torch.full((count,), 0.3))
        self.floor = nn.Parameter(torch.full((count,), 0.5).log())
        self.gain = nn.Parameter(torch.zeros(count))
        self.context: nn.Module | None = None
        self.predict: nn.Module | None = None
        if width:
            last = nn.Conv2d(width, count, 1)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)  # type: ignore[arg-type]
            self.context = nn.Sequential(
                nn.Conv2d(2 * count, width, 1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), last
            )
            self.predict = nn.Conv2d(count, count, 3, padding=1, bias=False)
            nn.init.zeros_(self.predict.weight)

    def forward(self, plane: Tensor) -> Tensor:
        """Whitened map ``(N, 1, H, W)`` of a plane ``(N, 1, H, W)`` in grey levels; any size from 8 px a side.

        Under autocast only the CNN runs in low precision: bfloat16 cannot hold a bright pixel to one grey level.
        """
        with torch.autocast(plane.device.type, enabled=False):
            height, width = plane.shape[-2:]
            padded = F.pad(plane, (4, 4 + -width % 4, 4, 4 + -height % 4), mode="replicate")
            coefficients = F.conv2d(padded, self.basis, stride=self.stride)  # (N, C, H/4 + 1, W/4 + 1)
            energy = local_mean(coefficients.square(), 3)
            scale = (energy + 1e-6).sqrt() + self.floor.exp()[:, None, None]
            ratio = coefficients / scale
            gain = self.gain[:, None, None] - self.exponent[:, None, None] * scale.log()
        if self.context is not None and self.predict is not None:
            # how loud each coefficient's surroundings are, and how loud it is itself: logs around 0
            features = torch.cat([scale.log(), (coefficients.abs() + 0.5).log()], 1) - 1.0  # (N, 2 C, h, w)
            gain = gain + 2 * torch.tanh(self.context(features).float())  # at most e^2 times more or less
            ratio = ratio + self.predict(ratio.clamp(-LIMIT, LIMIT)).float()  # what the neighbours do not explain
        with torch.autocast(plane.device.type, enabled=False):
            cleaned = ratio.clamp(-LIMIT, LIMIT) * gain.exp()
            whole = overlap_add(cleaned, self.basis)
        return whole[..., 4 : 4 + height, 4 : 4 + width] / 4


class TextureMask(nn.Module):
    """How much each pixel may move, per plane: the more its surroundings move already, the more.

    Classical start: ``texture_mask`` to the power ``exponent``. Learned: the exponents, and a correction by at most a
    factor e from local deviations at three sizes and the brightness, computed at half resolution. Pictures with a short
    side beyond ``canonical`` are judged at that size.
    """

    def __init__(self, exponent: float = 0.75, width: int = 16, canonical: int = 512) -> None:
        super().__init__()
        self.canonical = canonical
        self.exponent = nn.Parameter(torch.full((PLANES,), exponent))
        last = nn.Conv2d(width, PLANES, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        self.correct = nn.Sequential(nn.Conv2d(4, width, 1), nn.ReLU(), last)

    def forward(self, images: Tensor) -> Tensor:
        """Positive mask ``(N, 2, H, W)`` of images ``(N, 3, H, W)``."""
        size, plane = images.shape[-2:], canonical_luma(images, self.canonical)
        base = plane_mask(plane, exponent=1.0).log()  # (N, 1, h, w)
        small = F.interpolate(plane, [max(8, round(n / 2)) for n in plane.shape[-2:]], mode="area")
        moments = torch.cat([small, small.square()], 1)  # (N, 2, h/2, w/2)
        means = [F.avg_pool2d(moments, side, 1, side // 2, count_include_pad=False) for side in (3, 5, 9)]
        texture = F.interpolate(texture_share(plane), small.shape[-2:], mode="area")
        deviation = [(mean[:, 1:] - mean[:, :1].square()).clamp_min(1e-3).sqrt() * texture for mean in means]
        brightness = means[1][:, :1] / 255 - 0.5
        features = torch.cat([(1 + d).log() - 1 for d in deviation] + [brightness], 1)  # (N, 4, h/2, w/2)
        change = F.avg_pool2d(torch.tanh(self.correct(features)), 3, 1, 1, count_include_pad=False)  # (N, planes, ...)
        change = F.interpolate(change, plane.shape[-2:], mode="bilinear", align_corners=False)
        mask = (base * self.exponent[:, None, None] + change).exp()
        return mask if mask.shape[-2:] == size else F.interpolate(mask, size, mode="bilinear", align_corners=False)


class LineWeights(nn.Module):
    """How much to trust each line of each plane, judged by how well the pilot lines around it came through.

    Args:
        low: inner radius of the band, cycles per canonical pixel.
        high: outer radius.
        bands: rings over which the pilot is judged.
        width: hidden units.
    """

    def __init__(self, low: float, high: float, bands: int = 10, width: int = 48) -> None:
        super().__init__()
        self.rings = Profile(low, high, bands, (0.0,) * PLANES)
        self.rings.values.requires_grad_(False)
        self.base = Profile(low, high, 16, (0.0, -0.7))
        last = nn.Linear(width, PLANES * bands)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.judge = nn.Sequential(
            nn.Linear(2 * PLANES * bands, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), last
        )

    needs_all_planes = True
    """Whether one plane alone cannot be judged."""

    def forward(self, lines: Tensor, carriers: Carriers, believe_pilot: bool = True) -> Tensor:  # noqa: ARG002
        """Positive weights ``(N, 2, L)``.

        Args:
            lines: ``(N, 2, L)`` complex, what the maps hold at every line, keyed phases taken off.
            carriers: the lines.
            believe_pilot: makes no difference: where there is no pilot the networks have learned to see that.
        """
        pilot, basis = carriers.is_pilot, self.rings.basis(carriers.radius)  # (L,), (L, bands)
        power = lines.abs().square()  # (N, planes, L)
        ring_power = power @ basis / basis.sum(0)  # (N, planes, bands) mean power of all lines of a ring
        votes = (lines.real * pilot) @ basis  # (N, planes, bands) what the pilot lines of a ring add up to,
        spread = (ring_power * (pilot[:, None] * basis.square()).sum(0) / 2 + 1e-9).sqrt()  # and would without a mark
        quiet = ring_power / ring_power.mean((1, 2), keepdim=True).clamp_min(1e-9)  # a ring against the mean one
        votes = (votes / spread / VOTES).clamp(-2, 6)
        features = torch.cat([votes, (quiet + 1e-3).log() / 2], 1)  # (N, 2 planes, bands)
        heights = self.judge(features.flatten(1)).view(len(lines), PLANES, -1)
        # the classical rule first: divide by the amplitude of a ring; then what the networks add
        heights = BOLDEST * torch.tanh(heights / BOLDEST) - 0.5 * (quiet + 1e-3).log().clamp(-2, 4)
        return (heights @ basis.T + self.base(carriers.radius, carriers.angle)).exp()
