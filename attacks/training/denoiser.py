"""Train a denoiser for regeneration by diffusion: ``watermark train experiment=diffusion_latent | diffusion_pixel``.

The examples are drawn and encoded once. Every step's crops and noise come from the seed and the step, and a checkpoint
holds all that the next step needs: stopped and started again, a run ends with the same weights, to the bit.
"""

import json
import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from attacks.diffusion.unet import UNet, save_unet
from attacks.regeneration import ImageCoder
from attacks.training.examples import Examples, kept_examples, photo_files, save_atomically
from attacks.training.precision import half

log = logging.getLogger(__name__)
LAST, WEIGHTS, JOURNAL = "last.pt", "weights.safetensors", "log.jsonl"


@dataclass(frozen=True)
class DenoiserTraining:
    """A recipe, and the loop that follows it.

    Attributes:
        examples: what to learn from.
        width: features of the network's finest level.
        levels: of resolution.
        blocks: residual blocks a level.
        fold: side of the pixel squares folded into channels.
        coder: whose codes to denoise; None for the pixels themselves, on [-1, 1].
        sigma: least and greatest standard deviation of the noise, drawn log-uniformly.
        crop: side of what a step sees, in pixels or code cells.
        steps: updates in all.
        batch: examples a step.
        rate: peak learning rate of AdamW; warm-up, then a cosine to nothing.
        warmup: steps.
        decay: of the weights' moving average, which is what is written.
        half: bfloat16 inside the network, where the processor has it.
        save_seconds: between checkpoints.
        validate_every: steps between looks at the held-out examples.
    """

    examples: Examples
    width: int
    levels: int
    blocks: int
    fold: int = 1
    coder: ImageCoder | None = None
    sigma: tuple[float, float] = (0.04, 0.9)
    crop: int = 32
    steps: int = 4000
    batch: int = 8
    rate: float = 2e-3
    warmup: int = 200
    decay: float = 0.998
    half: bool = True
    save_seconds: float = 120.0
    validate_every: int = 250

    def run(self, train: str | Path, validation: str | Path, folder: Path, seed: int, device: torch.device) -> Path:
        """Go on from the folder's last checkpoint, or begin; returns the path of the weights.

        Raises:
            FileNotFoundError: if one of the two folders holds no photographs.
            ValueError: if the photographs are smaller than an example, or the checkpoint is of another seed.
        """
        pools = []
        counts = (self.examples.count, self.examples.held)
        for name, place, count in zip(("train", "held"), (train, validation), counts, strict=True):
            file = folder / f"{name}-{count}-{self.examples.side}-{seed}.pt"  # other settings, other examples
            pools.append(kept_examples(file, photo_files(place), count, self.examples.side, self.coder, seed))
        return _Run(self, pools[0], pools[1], folder, seed, device).go()

    def build(self, examples: Tensor) -> UNet:
        """The network for such examples, with their standard deviation."""
        deviation = float(_scaled(examples[:1000]).std())
        return UNet(examples.shape[1], self.width, self.levels, self.blocks, self.fold, round(deviation, 4))


class _Run:
    """One network on its way."""

    def __init__(
        self, recipe: DenoiserTraining, train: Tensor, held: Tensor, folder: Path, seed: int, device: torch.device
    ) -> None:
        torch.manual_seed(seed)  # before the network is drawn
        layout = torch.channels_last
        self.recipe, self.train, self.held, self.folder, self.seed = recipe, train, held, folder, seed
        self.device = device
        self.model = recipe.build(train).to(device=device, memory_format=layout)  # type: ignore[call-overload]
        self.average = AveragedModel(self.model, avg_fn=self._blend)
        self.average.update_parameters(self.model)  # the first call copies
        self.optimiser = torch.optim.AdamW(self.model.parameters(), betas=(0.9, 0.99), weight_decay=1e-4)
        self.step, self.seconds = 0, 0.0

    def go(self) -> Path:
        self._resume()
        last, saved, losses = time.monotonic(), time.monotonic(), []
        while self.step < self.recipe.steps:
            losses.append(self._update())
            self.step += 1
            now = time.monotonic()
            self.seconds, last = self.seconds + now - last, now
            done = self.step == self.recipe.steps
            if self.step % self.recipe.validate_every == 0 or done:
                self._note(sum(losses) / len(losses))
                losses = []
            if done or now - saved > self.recipe.save_seconds:
                self._save()
                saved = now
        save_unet(self._averaged, self.folder / WEIGHTS)
        return self.folder / WEIGHTS

    @property
    def _averaged(self) -> UNet:
        """The network with the moving average's weights."""
        return self.average.module  # type: ignore[return-value]

    def _update(self) -> float:
        recipe = self.recipe
        clean, noise, sigma = self._draw()
        progress = math.cos(math.pi * self.step / recipe.steps)
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.rate * min(1.0, (self.step + 1) / recipe.warmup) * 0.5 * (1 + progress)
        loss = self._loss(self.model, clean, noise, sigma).mean()
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.average.update_parameters(self.model)
        return float(loss.detach())

    def _blend(self, old: Tensor, new: Tensor, count: Tensor | int) -> Tensor:
        """The moving average after update ``count``, warmed up."""
        return old.lerp(new, 1 - min(self.recipe.decay, float(count / (count + 9))))

    def _draw(self) -> tuple[Tensor, Tensor, Tensor]:
        """This step's clean crops, their noise and its standard deviations."""
        recipe = self.recipe
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.step)
        picked = torch.randint(len(self.train), (recipe.batch,), generator=generator).tolist()
        top, left = torch.randint(self.train.shape[-1] - recipe.crop + 1, (2,), generator=generator).tolist()
        window = (..., slice(top, top + recipe.crop), slice(left, left + recipe.crop))
        clean = _scaled(torch.stack([self.train[i][window] for i in picked]))
        if recipe.coder is None:  # a code has an orientation of its own; pixels have not
            turns, mirrored = torch.randint(4, (), generator=generator), torch.rand((), generator=generator) < 0.5
            clean = clean.rot90(int(turns), (-2, -1))
            clean = clean.flip(-1) if mirrored else clean
        low, high = (math.log(value) for value in recipe.sigma)
        sigma = torch.exp(low + (high - low) * torch.rand(recipe.batch, generator=generator))
        noise = torch.randn(clean.shape, generator=generator)
        return clean.to(self.device), noise.to(self.device), sigma.to(self.device)

    def _loss(self, model: UNet, clean: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        """EDM's, one per example: mean squared error, weighted so that every noise level counts the same."""
        with half(self.device, self.recipe.half):
            found = model.denoise(clean + sigma.view(-1, 1, 1, 1) * noise, sigma)
        weight = (sigma**2 + model.deviation**2) / (sigma * model.deviation) ** 2
        return weight * (found - clean).square().mean((1, 2, 3))

    @torch.no_grad()
    def _note(self, loss: float) -> None:
        """What the averaged weights make of the held-out examples, at fixed noise."""
        clean = _scaled(self.held).to(self.device)
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)).to(self.device)
        low, high = (math.log(value) for value in self.recipe.sigma)
        sigma = torch.exp(torch.linspace(low, high, len(clean))).to(self.device)
        parts = zip(*(values.split(8) for values in (clean, noise, sigma)), strict=True)
        held = torch.cat([self._loss(self._averaged, *part) for part in parts])
        thirds = [round(float(part.mean()), 5) for part in held.tensor_split(3)]
        found = {"step": self.step, "loss": round(loss, 5), "held": round(float(held.mean()), 5), "thirds": thirds}
        with (self.folder / JOURNAL).open("a") as journal:
            journal.write(json.dumps({**found, "seconds": round(self.seconds)}) + "\n")
        log.info("step %d loss %.4f held out %.4f after %.0f s", self.step, loss, held.mean(), self.seconds)

    def _save(self) -> None:
        parts = {"model": self.model, "average": self.average, "optimiser": self.optimiser}
        state = {name: part.state_dict() for name, part in parts.items()}
        save_atomically({**state, "step": self.step, "seconds": self.seconds, "seed": self.seed}, self.folder / LAST)
        save_unet(self._averaged, self.folder / WEIGHTS)

    def _resume(self) -> None:
        path = self.folder / LAST
        if not path.is_file():
            return
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["seed"] != self.seed:
            raise ValueError(f"{path} was begun with seed {state['seed']}, got seed {self.seed}; give another name")
        for name in ("model", "average", "optimiser"):
            getattr(self, name).load_state_dict(state[name])
        self.step, self.seconds = state["step"], state["seconds"]
        log.info("resumed %s at step %d", path, self.step)


def _scaled(examples: Tensor) -> Tensor:
    """Bytes to [-1, 1]; codes as they are; float32."""
    return examples.float() / 127.5 - 1 if examples.dtype == torch.uint8 else examples.float()
