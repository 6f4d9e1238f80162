"""A black-box attacker's own detector, learned from marked and unmarked pictures: WAVES' AdvCls.

``python -m attacks.training.surrogate`` learns one from two folders; ``ProjectedGradient(4, load_surrogate(FILE))``
changes pictures until it no longer thinks them marked, and hopes that the real detector agrees.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from attacks.functional import weights


class Surrogate(nn.Module):
    """A small detector: high-pass filter, four convolutions, mean over the picture; any size. ``(N,)`` logits."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.width = width
        sizes = [3, width, width, 2 * width, 2 * width]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.GroupNorm(4, outputs), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(2 * width, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Above 0: thinks that it is marked."""
        detail = images - F.avg_pool2d(F.pad(images, (1,) * 4, mode="replicate"), 3, stride=1)
        return self.head(self.features(10 * detail).mean((2, 3)))[:, 0]


def train_surrogate(
    marked: Sequence[Tensor] | Tensor,
    unmarked: Sequence[Tensor] | Tensor,
    steps: int = 300,
    batch: int = 16,
    crop: int = 128,
    seed: int = 0,
) -> Surrogate:
    """Learn to tell marked from unmarked pictures.

    Args:
        marked: pictures ``(3, H, W)``, float in [0, 1] or bytes, all on one device.
        unmarked: the same pictures without the mark, which is easiest to learn from, or others.
        steps: of Adam.
        batch: pictures of each kind per step.
        crop: side of the random crops; less where a picture is smaller.
        seed: of everything random.

    Returns:
        The network in evaluation mode, weights frozen.
    """
    if not len(marked) or not len(unmarked):
        raise ValueError(f"expected pictures of both kinds, got {len(marked)} marked and {len(unmarked)} unmarked")
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Surrogate().to(marked[0].device)
    optimiser = torch.optim.Adam(model.parameters(), 2e-3)
    side = min(crop, *(min(image.shape[-2:]) for image in (*marked, *unmarked)))
    with torch.enable_grad():
        for _ in range(steps):
            pictures = torch.cat([_crops(kind, batch, side, generator) for kind in (marked, unmarked)])
            target = pictures.new_tensor([1.0] * batch + [0.0] * batch)
            loss = F.binary_cross_entropy_with_logits(model(pictures), target)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return model.eval().requires_grad_(False)


def save_surrogate(model: Surrogate, path: str | Path) -> None:
    """Write safetensors with the one size that rebuilds the network."""
    save_file(model.state_dict(), str(path), metadata={"width": str(model.width)})


def load_surrogate(file: str | Path) -> Surrogate:
    """Read what ``save_surrogate`` wrote; evaluation mode, weights frozen.

    Raises:
        FileNotFoundError: if ``file`` is not a file.
    """
    sizes, state = weights.read(file, "surrogate")
    model = Surrogate(sizes["width"])
    model.load_state_dict(state)
    return model.eval().requires_grad_(False)


def _crops(images: Sequence[Tensor] | Tensor, count: int, side: int, generator: torch.Generator) -> Tensor:
    """Random squares of random pictures: ``(count, 3, side, side)`` float."""
    pieces = []
    for index in torch.randint(len(images), (count,), generator=generator).tolist():
        image = images[index]
        top, left = (int(torch.randint(n - side + 1, (), generator=generator)) for n in image.shape[-2:])
        piece = image[:, top : top + side, left : left + side]
        pieces.append(piece if piece.is_floating_point() else piece.float() / 255)
    return torch.stack(pieces)
