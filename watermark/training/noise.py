"""The noise layer: the suite's attacks with random strength, switched on by skill, and the hard ones more often."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor, nn

from attacks.base import Attack, per_image
from watermark.training.layers import StraightThrough

Build = Callable[..., nn.Module]


@dataclass(frozen=True)
class NoiseLayer:
    """One kind of disturbance.

    Attributes:
        steps: what is applied one after another; each maps a drawn number in [0, 1] to a module called with
            ``(images, generators)``.
        weight: how often it is considered, relative to the others.
        gate: mean bit accuracy (all attacks) that the model must have reached before it is switched on.
    """

    steps: tuple[Callable[[float], nn.Module], ...]
    weight: float = 1.0
    gate: float = 0.0


def strength(
    build: Build, parameter: str, low: float, high: float, log: bool = False, whole: int = 0
) -> Callable[[float], nn.Module]:
    """A step whose ``parameter`` lies between ``low`` and ``high``.

    Args:
        build: makes the module, for example ``attacks.filters.GaussianBlur``; a suite attack passes gradients straight
            through unless it has its own.
        parameter: name of its strength.
        low: value at draw 0.
        high: value at draw 1.
        log: spread evenly over ratios instead of differences.
        whole: 0 for real numbers; 1 for integers; 2 for odd integers.
    """

    def step(draw: float) -> nn.Module:
        value = low * (high / low) ** draw if log else low + (high - low) * draw
        if whole:
            value = int(low) + whole * round((value - low) / whole)
        module = build(**{parameter: value})
        return StraightThrough(module) if isinstance(module, Attack) else module

    return step


@dataclass
class NoisePool:
    """Draw a layer for every few pictures of a batch.

    Args:
        layers: by name.
        group: pictures that share a draw.
        worst_of: of so many candidates, the one with the highest running loss is applied.
        memory: share of the running loss that is kept at each update.
    """

    layers: Mapping[str, NoiseLayer]
    group: int = 2
    worst_of: int = 1
    memory: float = 0.9
    running: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of_ranges(
        cls, kinds: Mapping[str, Mapping[str, Any]], layers: Mapping[str, Mapping[str, Any]], **settings: Any
    ) -> Self:
        """A pool from a table (``configs/noise``).

        Args:
            kinds: by name, the ``build``, ``parameter`` and ``whole`` of ``strength``.
            layers: by name, ``weight``, ``gate`` (0 without one) and ``steps``, each ``[kind, low, high]``; a fourth
                word ``log`` asks for even ratios.
            **settings: ``group``, ``worst_of``, ``memory``.

        Raises:
            ValueError: for a step that is none, or of an unknown kind.
            FileNotFoundError: for weights that a kind needs.
        """

        def step(layer: str, said: Sequence[Any]) -> Callable[[float], nn.Module]:
            if len(said) not in (3, 4) or said[0] not in kinds or list(said[3:]) not in ([], ["log"]):
                known = ", ".join(kinds)
                raise ValueError(
                    f"noise layer {layer}: expected [kind, low, high] or [kind, low, high, log] with a kind "
                    f"of {known}; got {list(said)}"
                )
            return strength(low=said[1], high=said[2], log=len(said) == 4, **kinds[said[0]])

        made = {}
        for name, layer in layers.items():
            steps = tuple(step(name, said) for said in layer["steps"])
            for build in steps:  # weights that are not there are missed now, and not hours later
                try:
                    build(0.0)
                except FileNotFoundError as error:
                    raise FileNotFoundError(f"noise layer {name}: {error}") from None
            made[name] = NoiseLayer(steps, float(layer["weight"]), float(layer.get("gate", 0)))
        return cls(made, **settings)

    def open_layers(self, skill: float) -> list[str]:
        """Names of the layers that a model of this bit accuracy meets."""
        names = [name for name, layer in self.layers.items() if layer.gate <= skill]
        if not names:
            raise ValueError(f"no noise layer is open at bit accuracy {skill:.3f}; give one of them gate 0")
        return names

    def choose(self, skill: float, generator: torch.Generator) -> str:
        """One open layer: the worst of a few candidates."""
        names = self.open_layers(skill)
        weights = torch.tensor([self.layers[name].weight for name in names], dtype=torch.float32)
        drawn = torch.multinomial(weights, self.worst_of, replacement=True, generator=generator)
        return max((names[i] for i in drawn.tolist()), key=lambda name: self.running.get(name, math.inf))

    def __call__(self, images: Tensor, skill: float, generator: torch.Generator) -> tuple[Tensor, list[str]]:
        """Disturb ``(N, 3, H, W)`` in [0, 1]; returns the same size and the name of each picture's layer."""
        parts, names = [], []
        for start in range(0, len(images), self.group):
            part = images[start : start + self.group]
            name = self.choose(skill, generator)
            for step in self.layers[name].steps:
                module = step(float(torch.rand((), generator=generator))).to(images.device)
                part = module(part.clamp(0, 1), per_image(generator, len(part)))
            parts.append(part)
            names += [name] * len(part)
        return torch.cat(parts).clamp(0, 1), names

    def learn(self, names: list[str], losses: list[float]) -> None:
        """Remember how hard each layer was."""
        for name, loss in zip(names, losses, strict=True):
            if math.isfinite(loss):
                self.running[name] = self.memory * self.running.get(name, loss) + (1 - self.memory) * loss
