"""Attacks along a gradient: of the mark's decoder, of one that pairs taught (``attacks.surrogate``), of any encoder."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from attacks.base import Attack, Generators
from attacks.functional import draw
from attacks.regeneration import ImageCoder

Score = Callable[[Tensor], Tensor]
"""Images ``(N, 3, H, W)`` to one differentiable number per image ``(N,)``; larger means more surely marked."""


class ProjectedGradient(Attack):
    """Lower (or raise) a differentiable score as far as possible while no value changes by more than ``epsilon``/255.

    Projected gradient descent with signs (Madry et al., 2018) from a random start in the ball. With the mark's own
    decoder as the score this is the white-box attack, with a ``Surrogate`` the black-box one; with ``raises`` on
    unmarked pictures it forges (test F4).

    Args:
        epsilon: largest change of a value, in 1/255.
        score: what to lower; must treat the images of a batch separately.
        steps: gradient steps; each moves every value by ``pace * epsilon``.
        pace: length of a step as a share of epsilon; WAVES uses 200 steps of .05.
        raises: raise the score instead.
    """

    differentiable, geometric, harder = False, False, "higher"
    family = "removal"
    unit, neutral = "largest change, 1/255", 0.0
    reproduces = "WAVES AdvEmb and AdvCls settings: 200 steps of .05 epsilon"

    def __init__(
        self, epsilon: float, score: Score | None, steps: int = 200, pace: float = 0.05, raises: bool = False
    ) -> None:
        if not 0 <= epsilon <= 255:
            raise ValueError(f"epsilon must be in 0..255 (of 255), got {epsilon}")
        if steps < 1:
            raise ValueError(f"steps must be at least 1, got {steps}")
        super().__init__(epsilon)
        self.score, self.steps, self.pace, self.raises = score, steps, pace, raises

    def objective(self, images: Tensor) -> Score:
        """The score to lower, given the unattacked images."""
        if self.score is None:
            raise ValueError("expected a differentiable score to attack, got None")
        if isinstance(self.score, nn.Module):
            self.score.to(images.device)
        return self.score

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Sign steps, projected to the ball and to [0, 1]."""
        radius = self.strength / 255
        objective = self.objective(images.detach())
        direction = self.pace * radius * (1 if self.raises else -1)
        start = draw.uniform(generators, images, *images.shape[1:], low=-1.0)
        current = (images + radius * start).clamp(0, 1)
        low, high = (images - radius).clamp(min=0).detach(), (images + radius).clamp(max=1).detach()
        for _ in range(self.steps):
            with torch.enable_grad():
                leaf = current.detach().requires_grad_(True)
                (slope,) = torch.autograd.grad(objective(leaf).sum(), leaf)
            current = (leaf.detach() + direction * slope.sign()).clamp(low, high)
        return current.detach()


class EmbeddingAttack(ProjectedGradient):
    """Drive the picture's features in a public encoder away from where they were; nothing of the mark is needed.

    Args:
        epsilon: largest change of a value, in 1/255.
        encoder: an ``ImageCoder`` (see ``attacks.regeneration``) whose code is pushed away.
        steps: gradient steps.
        pace: length of a step as a share of epsilon.
    """

    reproduces = "WAVES AdvEmb-KLVAE8 (grey box), with the encoder that is given"

    def __init__(self, epsilon: float, encoder: ImageCoder, steps: int = 200, pace: float = 0.05) -> None:
        super().__init__(epsilon, None, steps, pace)
        self.encoder = encoder

    def objective(self, images: Tensor) -> Score:
        """Minus the squared distance to the features of the unattacked images."""
        if isinstance(self.encoder, nn.Module):
            self.encoder.to(images.device)
        with torch.no_grad():
            before = self.encoder.encode(images)
        return lambda moved: -(self.encoder.encode(moved) - before).square().mean((1, 2, 3))
