"""The worst corner of a picture: a mean over all pixels hides a mark that sits in one place."""

import torch
import torch.nn.functional as F
from torch import Tensor


def worst_tile_psnr(images: Tensor, reference: Tensor, tile: int = 64) -> Tensor:
    """PSNR in dB of the tile with the largest error, peak 1; ``inf`` for equal images.

    Tiles lie edge to edge from the top left; the last row and column are moved inwards so that all tiles are whole. A
    picture smaller than a tile is one tile.

    Args:
        images: ``(N, 3, H, W)`` in ``[0, 1]``.
        reference: the same shape.
        tile: side in px, at least 1.

    Returns:
        ``(N,)`` float64; never above the PSNR of the whole picture where tiles do not overlap.

    Raises:
        ValueError: if the shapes differ or the tile is empty.

    Example:
        >>> import torch
        >>> black, marked = torch.zeros(1, 3, 128, 128), torch.zeros(1, 3, 128, 128)
        >>> marked[..., :64, :64] = 1 / 255  # all of the energy in one corner
        >>> worst_tile_psnr(marked, black)
        tensor([48.1308], dtype=torch.float64)
    """
    if images.shape != reference.shape:
        raise ValueError(f"PSNR needs two images of one shape, got {tuple(images.shape)} and {tuple(reference.shape)}")
    if tile < 1:
        raise ValueError(f"tile must be at least 1 px, got {tile}")
    error = (images.double() - reference.double()).square().mean(1)  # (N, H, W)
    sums = F.pad(error.cumsum(1).cumsum(2), (1, 0, 1, 0))  # summed-area table
    (top, bottom), (left, right) = _edges(error.shape[1], tile, error), _edges(error.shape[2], tile, error)
    rows = sums[:, bottom] - sums[:, top]
    total = rows[:, :, right] - rows[:, :, left]  # (N, tiles down, tiles across)
    mean = total / ((bottom - top)[:, None] * (right - left))
    return -10 * mean.clamp_min(0).amax(dim=(1, 2)).log10()


def _edges(length: int, tile: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Starts and ends of the tiles along one side."""
    starts = torch.arange(0, max(length, 1), tile, device=like.device).clamp(max=max(length - tile, 0))
    return starts, starts + min(tile, length)
