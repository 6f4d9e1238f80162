"""Where an attacked picture was edited: the part that an edit replaced, followed through whatever comes after it."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.base import Attack, Generators
from attacks.compose import Chain
from attacks.erase import Edit


@dataclass(frozen=True)
class Edited:
    """What an attack made of a batch, and how it was done.

    Attributes:
        images: ``(N, 3, H, W)``.
        before: height and width of what was attacked, px.
        steps: the attack's steps, each with the states that the generators had when it began.
    """

    images: Tensor
    before: tuple[int, int]
    steps: list[tuple[Attack, list[Tensor]]]

    @torch.no_grad()
    def parts(self) -> tuple[Tensor, Tensor]:
        """Where it was edited, and what is none of the picture.

        An edit says itself which part it replaces. What comes after it is done to a black picture with this part in
        white too, under the same draws, and to an all black and an all white one: where these two end alike, nothing of
        the picture is shown.

        Returns:
            Bool ``(N, H, W)`` each: the part that was edited; and the page around a screenshot or the black corners of
            a turned picture. No px is in both.
        """
        black = self.images.new_zeros(len(self.images), 3, *self.before)
        probes = [black, black, torch.ones_like(black)]  # the part in white, all black, all white
        for step, start in self.steps:
            if not isinstance(step, Edit):
                probes = [step(probe, _generators(start)) for probe in probes]
            elif step.strength != step.neutral:
                probes[0] = probes[0].masked_fill(step.covered(probes[0], _generators(start)), 1.0)
        part, black, white = (probe.mean(1) for probe in probes)
        swing = (white - black).abs()
        shown = swing > 0.5 * swing.amax((1, 2), keepdim=True)
        return shown & ((part - black).abs() > 0.5 * swing), ~shown


def tells(attack: Attack) -> bool:
    """Whether the attack edits a part of the picture and can say which: an ``Edit``, or a chain with one."""
    edits = [step for step in _steps(attack) if step.family == "edit"]
    return bool(edits) and all(isinstance(step, Edit) for step in edits)


def edited(attack: Attack, images: Tensor, generators: Generators) -> Edited:
    """Attack a batch, and remember where it was edited.

    Args:
        attack: one that ``tells``. Its draws may depend on the size of a picture and on nothing that it shows.
        images: ``(N, 3, H, W)`` in ``[0, 1]``.
        generators: one per image.

    Returns:
        Its ``images`` are those of ``attack(images, generators)``.

    Raises:
        ValueError: if the attack does not tell.
    """
    if not tells(attack):
        raise ValueError(f"expected an attack that edits a part and says which, got {type(attack).__name__}")
    before, steps = (images.shape[-2], images.shape[-1]), []
    for step in _steps(attack):
        steps.append((step, [generator.get_state() for generator in generators]))
        images = step(images, generators)
    return Edited(images, before, steps)


def _steps(attack: Attack) -> Iterator[Attack]:
    """The attack itself, or one by one those that a chain is made of."""
    if not isinstance(attack, Chain):
        yield attack
        return
    for step in attack.steps:
        yield from _steps(step)  # type: ignore[arg-type]


def _generators(states: list[Tensor]) -> Generators:
    generators = [torch.Generator() for _ in states]
    for generator, state in zip(generators, states, strict=True):
        generator.set_state(state)
    return generators
