"""How good a checkpoint is on pictures that training never sees, at one quality, against fixed attacks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from attacks.base import per_image
from watermark.images import to_8bit
from watermark.training.losses import total_correlation
from watermark.training.model import TrainableMark


@dataclass(frozen=True)
class Validation:
    """A fixed examination.

    Args:
        images: ``(N, 3, H, W)``.
        attacks: by name, applied one after another; called with ``(images, generators)``.
        psnr: dB.
        need: z at which a picture counts fully in the score.
        batch: pictures at a time.
    """

    images: Tensor
    attacks: Mapping[str, Sequence[nn.Module]]
    psnr: float = 45.0
    need: float = 8.0
    batch: int = 8

    @torch.no_grad()
    def __call__(self, model: TrainableMark, device: torch.device) -> tuple[float, dict[str, dict[str, float]], Tensor]:
        """Score in [0, 1] (mean of ``min(z / need, 1)``), figures per attack, and marked pictures for looking at."""
        model.eval()
        values: dict[str, list[Tensor]] = {name: [] for name in self.attacks}
        right: dict[str, list[Tensor]] = {name: [] for name in self.attacks}
        shown = torch.empty(0)
        for start in range(0, len(self.images), self.batch):
            generator = torch.Generator().manual_seed(start)
            images = self.images[start : start + self.batch].to(device)
            message = (torch.rand(len(images), model.message_bits, generator=generator) < 0.5).to(device)
            quality = torch.full((len(images),), self.psnr, device=device)
            marked = model.mark(images, message, quality, generator)
            clean = to_8bit(marked.images.clamp(0, 1))
            shown = torch.cat([images[:4], clean[:4]]) if start == 0 else shown
            for name, chain in self.attacks.items():
                attacked = clean
                for attack in chain:
                    attacked = attack(
                        attacked.clamp(0, 1), per_image(torch.Generator().manual_seed(start), len(images))
                    )
                logits, _ = model.read(to_8bit(attacked.clamp(0, 1)), marked, None)
                values[name].append(total_correlation(logits, message).cpu())
                right[name].append(((logits > 0) == message).float().mean(1).cpu())
        model.train()
        figures = {name: _summary(torch.cat(values[name]), torch.cat(right[name])) for name in self.attacks}
        reached = torch.stack([(torch.cat(z) / self.need).clamp(0, 1).mean() for z in values.values()])
        return float(reached.mean()), figures, shown


def _summary(z: Tensor, right: Tensor) -> dict[str, float]:
    return {"z_median": float(z.median()), "z_tenth": float(z.quantile(0.1)), "bits": float(right.mean())}
