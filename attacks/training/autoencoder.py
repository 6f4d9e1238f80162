"""Train the regeneration auto-encoder: ``python -m attacks.training.autoencoder main --images DIR --validate DIR``.

Stops and starts at will: the checkpoint beside the weights holds everything that the next run needs.
"""

import argparse
import logging
import math
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from attacks.autoencoder import Autoencoder
from attacks.training.examples import FORMATS, photo_files
from attacks.training.precision import half

log = logging.getLogger(__name__)
RECIPES = Path(__file__).with_name("autoencoder.toml")


@dataclass(frozen=True)
class Recipe:
    """One section of ``autoencoder.toml``."""

    width: int
    latent: int
    seed: int
    steps: int
    batch: int
    crop: int
    learning_rate: float
    latent_noise: float


def load_recipe(name: str, path: Path = RECIPES) -> Recipe:
    """Read one recipe; ``ValueError`` names those that exist."""
    recipes = tomllib.loads(path.read_text())
    if name not in recipes:
        raise ValueError(f"expected a recipe of {sorted(recipes)}, got {name!r}")
    return Recipe(**recipes[name])


def load_photos(folder: Path) -> list[Tensor]:
    """Every picture in a folder as uint8 ``(3, H, W)``, in the order of the names."""
    return [_read(path) for path in photo_files(folder)]


def _read(path: Path) -> Tensor:
    with Image.open(path, formats=FORMATS) as picture:
        return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)


def draw_batch(photos: list[Tensor], recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Random crops, half of them mirrored: ``(batch, 3, crop, crop)`` float in [0, 1]."""
    crops = []
    for index in torch.randint(len(photos), (recipe.batch,), generator=generator).tolist():
        photo = photos[index]
        top, left = (int(torch.randint(side - recipe.crop + 1, (), generator=generator)) for side in photo.shape[-2:])
        crop = photo[:, top : top + recipe.crop, left : left + recipe.crop]
        crops.append(crop.flip(-1) if torch.rand((), generator=generator) < 0.5 else crop)
    return torch.stack(crops).float() / 255


def reconstruction_loss(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error of the pixels, plus half that of their horizontal and vertical differences (for edges)."""
    error = output - target
    return error.abs().mean() + 0.5 * (error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean())


def learning_rate(step: int, recipe: Recipe) -> float:
    """Two hundred steps of warm-up, then a cosine down to nothing."""
    warm = min(1.0, (step + 1) / 200)
    return recipe.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * step / recipe.steps))


def train(recipe: Recipe, photos: list[Tensor], validation: list[Tensor], out: Path) -> Path:
    """Train until ``recipe.steps``; returns the path of the weights (float16, safetensors)."""
    torch.manual_seed(recipe.seed)
    model = Autoencoder(recipe.width, recipe.latent)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(model.parameters(), betas=(0.9, 0.98))
    checkpoint, start = out.with_suffix(".checkpoint.pt"), 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        start = int(state["step"])
    began = time.monotonic()
    for step in range(start, recipe.steps):
        loss = train_step(model, optimiser, photos, recipe, step)
        if (step + 1) % 250 == 0 or step + 1 == recipe.steps:
            progress = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": step + 1}
            torch.save(progress, checkpoint)
            save_weights(model, out)
            psnr, seconds = mean_psnr(model, validation[:32]), time.monotonic() - began
            log.info("step %d loss %.4f validation %.2f dB after %.0f s", step + 1, loss, psnr, seconds)
    return out


def train_step(
    model: Autoencoder, optimiser: torch.optim.Optimizer, photos: list[Tensor], recipe: Recipe, step: int
) -> float:
    """One update; everything random comes from the seed and the step, so a resumed run sees what it would have seen."""
    generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
    images = draw_batch(photos, recipe, generator).to(memory_format=torch.channels_last)
    code = (recipe.batch, recipe.latent, recipe.crop // 8, recipe.crop // 8)
    spread = recipe.latent_noise * torch.rand(recipe.batch, 1, 1, 1, generator=generator)
    noise = spread * torch.randn(code, generator=generator)
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(step, recipe)
    model.train()
    with half(torch.device("cpu")):
        output = model(images, noise)
    loss = reconstruction_loss(output.float(), images)
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


@torch.no_grad()
def mean_psnr(model: Autoencoder, photos: list[Tensor]) -> float:
    """Mean over the pictures of the round trip's PSNR in dB, after rounding to 8 bits."""
    model.eval()
    return float(np.mean([round_trip_psnr(model, photo) for photo in photos]))


@torch.no_grad()
def round_trip_psnr(model: Autoencoder, photo: Tensor) -> float:
    """PSNR in dB of one uint8 picture ``(3, H, W)`` against its round trip, rounded to 8 bits."""
    images = photo[None].float()
    output = (model(images / 255).clamp(0, 1) * 255).round()
    return float(10 * torch.log10(255**2 / (output - images).square().mean()))


def save_weights(model: Autoencoder, path: Path) -> None:
    """Write float16 safetensors with the two sizes that rebuild the network."""
    state = {name: value.half().contiguous() for name, value in model.state_dict().items() if value.is_floating_point()}
    save_file(state, str(path), metadata={"width": str(model.width), "latent": str(model.latent)})


def main(arguments: list[str] | None = None) -> None:
    """Command line of the module."""
    parser = argparse.ArgumentParser(prog="python -m attacks.training.autoencoder", description=__doc__)
    parser.add_argument("recipe", help="section of autoencoder.toml")
    parser.add_argument("--images", type=Path, required=True, help="folder of training photographs")
    parser.add_argument("--validate", type=Path, required=True, help="folder of photographs that are never trained on")
    parser.add_argument("--out", type=Path, required=True, help="where to write the .safetensors")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    recipe = load_recipe(options.recipe)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    train(recipe, load_photos(options.images), load_photos(options.validate), options.out)


if __name__ == "__main__":
    main()
