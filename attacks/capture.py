"""Through the air: a phone photographs a screen, a scanner reads a print."""

import torch
from torch import Tensor

from attacks.base import Attack, Generators
from attacks.compression import Jpeg
from attacks.functional import color, draw, filters, warp
from attacks.geometry import project_corners
from attacks.soft_jpeg import SoftJpeg


class SoftScreenCamera(Attack):
    """A picture on a display, photographed by hand, as a differentiable training layer (JPEG by ``SoftJpeg``).

    All grow with the level: perspective (corners up to 1.2 % of a side per level), moire between display and sensor
    (coloured bands), glare, lens blur, vignetting, exposure and white balance, shot and read noise in linear light,
    sharpening by the camera, JPEG.

    Args:
        level: 0 (nothing) to 5 (hand-held in bad light).
    """

    differentiable, geometric, harder = True, True, "higher"
    family = "compound"
    unit, neutral = "joint level 0..5", 0.0
    version = 2
    reproduces = "screen-to-camera as in PIMoG (Fang et al., 2022) and StegaStamp (Tancik et al., 2020), own levels"

    def __init__(self, level: float) -> None:
        if not 0 <= level <= 5:
            raise ValueError(f"level must be in 0..5, got {level}")
        super().__init__(level)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """In the order in which light passes."""
        share = self.strength / 5
        light = color.to_linear(images) * self._moire(images, generators, share)
        light = project_corners(light, self._corners(images, generators, share), outside=0.02).clamp(0, 1)
        light = filters.gaussian_blur(light, 0.3 + 0.9 * share)
        light = light * self._lens(images, generators, share) + self._glare(images, generators, share)
        noise = draw.normal(generators, images)
        spread = (light.clamp(min=0) * (0.001 * share) + (0.006 * share) ** 2).sqrt()
        seen = color.to_srgb((light + spread * noise).clamp(0, 1))
        seen = seen + 0.5 * (seen - filters.gaussian_blur(seen, 1.0))
        return self.compress(seen.clamp(0, 1), round(96 - 36 * share))

    def compress(self, images: Tensor, quality: int) -> Tensor:
        return SoftJpeg(quality)(images)

    def _corners(self, images: Tensor, generators: Generators, share: float) -> Tensor:
        half = images.new_tensor([images.shape[-1] / 2, images.shape[-2] / 2])
        outwards = torch.from_numpy(warp.SIGNS).to(images)
        return half * (outwards + 0.12 * share * draw.uniform(generators, images, 4, 2, low=-1.0))

    def _moire(self, images: Tensor, generators: Generators, share: float) -> Tensor:
        """Two gratings that beat against each other, a third of a period apart in red, green and blue."""
        dice = draw.uniform(generators, images, 2, 4)[..., None, None]  # (N, 2, 4, 1, 1)
        grid = warp.pixel_grid(images.shape[-2], images.shape[-1], images)
        angle, period = torch.pi * dice[:, :, 0], 4 + 36 * dice[:, :, 1] ** 2
        waves = (grid[..., 0] * torch.cos(angle) + grid[..., 1] * torch.sin(angle)) / period  # (N, 2, H, W)
        bend = 0.4 * torch.sin(grid[..., 0] / 70 + 6 * dice[:, :, 2]) + 0.4 * torch.sin(grid[..., 1] / 90)
        thirds = images.new_tensor([0.0, 1 / 3, 2 / 3]).view(1, 3, 1, 1)
        bands = [torch.cos(2 * torch.pi * (waves[:, k : k + 1] + bend[:, k : k + 1] + thirds)) for k in range(2)]
        return 1 + 0.09 * share * (bands[0] + bands[1])

    def _lens(self, images: Tensor, generators: Generators, share: float) -> Tensor:
        """Vignetting, exposure and white balance as one gain ``(N, 3, H, W)``."""
        gains = 1 + 0.12 * share * draw.uniform(generators, images, 3, 1, 1, low=-1.0)
        exposure = 1 + 0.25 * share * draw.uniform(generators, images, 1, 1, 1, low=-1.0)
        grid = warp.pixel_grid(images.shape[-2], images.shape[-1], images) / max(images.shape[-2:])
        return gains * exposure / (1 + 1.2 * share * grid.square().sum(-1)) ** 2

    def _glare(self, images: Tensor, generators: Generators, share: float) -> Tensor:
        """A lamp's soft reflection ``(N, 1, H, W)``."""
        dice = draw.uniform(generators, images, 2, low=-0.5)[:, None, None]
        grid = warp.pixel_grid(images.shape[-2], images.shape[-1], images) / max(images.shape[-2:])
        return 0.06 * share * torch.exp(-(grid - dice).square().sum(-1) / 0.08)[:, None]


class ScreenCamera(SoftScreenCamera):
    """``SoftScreenCamera`` with the real JPEG codec: what is scored.

    Args:
        level: 0 (nothing) to 5 (hand-held in bad light).
    """

    differentiable = False
    family = "compound"

    def compress(self, images: Tensor, quality: int) -> Tensor:
        return Jpeg(quality)(images)


class PrintScan(Attack):
    """Printed in four colours at 300 picture pixels per inch, then scanned at ``dpi`` and brought back to the old size.

    Halftone dots under the usual screen angles, dot gain, paper that is not white and ink that is not black, paper
    grain, up to one degree of rotation on the glass, blur of the scanner, resampling.

    Args:
        dpi: of the scan, 50 to 300.
    """

    differentiable, geometric, harder = True, True, "lower"
    family = "compound"
    unit = "dots per inch of the scan"
    reproduces = "print and scan of the classical literature; own model"

    def __init__(self, dpi: float) -> None:
        if not 50 <= dpi <= 300:
            raise ValueError(f"dpi must be in 50..300, got {dpi}")
        super().__init__(dpi)

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Print on a grid twice as fine, turn, scan."""
        height, width = images.shape[-2:]
        paper = _halftone(warp.resize(images, (2 * height, 2 * width), "bilinear"), period=3.4)
        paper = paper * (1 + 0.015 * draw.normal(generators, images, 1, 2 * height, 2 * width))
        paper = filters.gaussian_blur(paper, 1.5)
        angles = torch.deg2rad(draw.uniform(generators, images, low=-1.0))
        back = warp.rotation(angles.cos(), angles.sin())
        turned = warp.project(paper.clamp(0, 1), back, (2 * height, 2 * width), outside=0.93, mode="bilinear")
        scanned = warp.resize(turned, warp.scaled(images, self.strength / 300)).clamp(0, 1)
        scanned = scanned + 0.008 * draw.normal(generators, images, 3, *scanned.shape[-2:])
        return warp.resize(scanned.clamp(0, 1), (height, width))


def _halftone(images: Tensor, period: float) -> Tensor:
    """Cyan, magenta, yellow and black dots, softly thresholded so that gradients pass; 0.05 to 0.95 on paper."""
    gained = 1 - images.clamp(0, 1)
    gained = gained + 0.2 * gained * (1 - gained)  # dot gain: the middle tones print darker
    black = 0.5 * gained.amin(1, keepdim=True)
    inks = torch.cat([(gained - black) / (1 - black).clamp(min=1e-3), black], 1)  # (N, 4, H, W)
    grid = warp.pixel_grid(images.shape[-2], images.shape[-1], images) * (2 * torch.pi / period)
    degrees = torch.deg2rad(images.new_tensor([15.0, 75.0, 0.0, 45.0]))[:, None, None]
    u = grid[..., 0] * degrees.cos() + grid[..., 1] * degrees.sin()
    v = grid[..., 1] * degrees.cos() - grid[..., 0] * degrees.sin()
    screen = 0.5 + 0.25 * (u.cos() + v.cos())
    dots = torch.sigmoid(5 * (inks - screen)) * (1 - torch.exp(-8 * inks)) + 0.5 * inks
    dots = dots / 1.5
    rgb = (1 - dots[:, :3]) * (1 - dots[:, 3:])
    return 0.05 + 0.90 * rgb
