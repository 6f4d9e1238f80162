"""What every attack promises: one call, batched, in range, reproducible, and honest about what it is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from PIL import Image
from torch import Tensor, nn

from attacks.functional import codec

Generators = list[torch.Generator]  # one CPU generator per image
"""What ``Attack.transform`` draws from: entry ``i`` belongs to image ``i`` and to nothing else."""


Family = Literal["none", "geometry", "photometric", "compression", "filter", "compound", "edit", "removal", "other"]
"""Filter: and noise. Compound: several in a row, such as a screenshot. Edit: a part is replaced. Removal: by intent."""


class Attack(nn.Module, ABC):
    """Something that happens to an image: ``forward(images, generator) -> images``.

    Images are float tensors ``(N, 3, H, W)``, RGB in ``[0, 1]``; the result lives on the same device, is never the
    input changed in place, and may have another ``H, W`` (the same for the whole batch) only if ``geometric``.

    A subclass sets the class facts, validates its one strength in ``__init__`` (``ValueError`` with expected and
    given) and writes ``transform`` (``apply`` already means something else to ``nn.Module``). Everything random comes
    from ``generators[i]`` for image ``i``, so that the draw of an image depends neither on its neighbours in the batch
    nor on the device.

    Example:
        >>> class Darker(Attack):
        ...     differentiable, geometric, harder = True, False, "higher"
        ...     unit, reproduces, neutral = "share of the light that is taken", "a dim screen", 0.0
        ...
        ...     def transform(self, images, generators):
        ...         return images * (1 - self.strength)
        >>> Darker(0.5)(torch.full((1, 3, 2, 2), 0.8)).unique()
        tensor([0.4000])
    """

    differentiable: bool
    """Gradients flow from the output to the input and are those of the operation itself."""
    geometric: bool
    """Pixels move, so PSNR between input and output says nothing and is not reported."""
    harder: Literal["higher", "lower", "away"]
    """Which way the strength gets worse: up, down, or away from ``neutral`` on both sides."""
    unit: ClassVar[str]
    """The unit of the strength in words, for example ``"quality 1..100"``."""
    reproduces: ClassVar[str]
    """One line: the published attack or the everyday event that this stands for."""
    family: ClassVar[Family] = "other"
    """What kind of thing it does to a picture; a mean over families gives every kind the same say."""
    version: int = 1
    """Raised whenever the same parameters start to give another picture."""
    card: ClassVar[str | None] = None
    """Model card in ``attacks/weights``, without ``.md``, of the network that ships for it; None if none does."""
    neutral: ClassVar[float | None] = None
    """The strength that changes nothing, bit for bit; None if there is none."""
    together: ClassVar[bool] = False
    """``transform`` gets the whole batch on a CPU too, where others get one image after the other, and returns a new
    tensor, nothing of its input or of its own."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def forward(self, images: Tensor, generator: torch.Generator | Sequence[torch.Generator] | None = None) -> Tensor:
        """Attack a batch.

        Args:
            images: ``(N, 3, H, W)`` float, ``[0, 1]``.
            generator: one CPU generator per image, or one from which a generator per image is seeded in order, or
                None for a fixed seed (an attack without a generator is the same attack every time).

        Raises:
            ValueError: if the images are not a float ``(N, 3, H, W)`` batch in ``[0, 1]``, or the generators are not
                one per image.
        """
        _check_images(images)
        if self.neutral is not None and self.strength == self.neutral:
            return images.clone()
        generators = per_image(generator, len(images))
        if len(images) == 1 or self.together or images.device.type != "cpu" or self._waits_for_gradients(images):
            attacked = self.transform(images, generators)
            in_place = self.together and not attacked.requires_grad  # a batch's second copy costs more than the clamp
            return attacked.clamp_(0, 1) if in_place else attacked.clamp(0, 1)
        return self._one_by_one(images, generators)

    def _waits_for_gradients(self, images: Tensor) -> bool:
        return torch.is_grad_enabled() and any(leaf.requires_grad for leaf in (images, *self.parameters()))

    def _one_by_one(self, images: Tensor, generators: Generators) -> Tensor:
        """A CPU's cache holds one image and not a batch of them; each goes straight to its place in the result."""
        first, *others = zip(images.split(1), generators, strict=True)
        attacked = self.transform(first[0], [first[1]])
        result = attacked.new_empty(len(images), *attacked.shape[1:])
        torch.clamp(attacked, 0, 1, out=result[:1])
        for i, (image, own) in enumerate(others, start=1):
            torch.clamp(self.transform(image, [own]), 0, 1, out=result[i : i + 1])
        return result

    def moves(self, height: int, width: int) -> bool:
        """Whether pixels of a picture of this size move; where they do not, PSNR and SSIM say what the attack costs."""
        return self.geometric and (self.neutral is None or self.strength != self.neutral)

    def picture(self, picture: Image.Image, seed: int = 0) -> Image.Image:
        """Attack one Pillow picture, taken and given back as 8-bit RGB; one seed, one result."""
        images = codec.from_pillow([picture], torch.empty(0))
        return codec.to_pillow(self(images, torch.Generator().manual_seed(seed)))[0]

    @abstractmethod
    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """Do it; the input is checked, the output will be clamped."""

    def extra_repr(self) -> str:
        """Show the strength in ``repr``."""
        return f"{self.strength}"


def per_image(generator: torch.Generator | Sequence[torch.Generator] | None, count: int) -> Generators:
    """One independent CPU generator per image, however the caller gave randomness."""
    if isinstance(generator, Sequence):
        if len(generator) != count:
            raise ValueError(f"expected one generator per image ({count}), got {len(generator)}")
        return list(generator)
    if generator is None:
        generator = torch.Generator().manual_seed(0)
    return [torch.Generator().manual_seed(_draw_seed(generator)) for _ in range(count)]


def _draw_seed(generator: torch.Generator) -> int:
    return int(torch.randint(2**62, (), generator=generator, device=generator.device))


def _check_images(images: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point() or 0 in images.shape:
        raise ValueError(f"expected float images (N, 3, H, W), got {images.dtype} {tuple(images.shape)}")
    low, high = torch.aminmax(images.detach())
    if not (low >= 0 and high <= 1):  # written so that NaN fails too
        raise ValueError(f"expected images in [0, 1], got values from {float(low):.4g} to {float(high):.4g}")
