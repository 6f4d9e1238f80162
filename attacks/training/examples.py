"""What a denoiser learns from: crops of photographs, or an image coder's codes of them, made once and kept."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from attacks.regeneration import ImageCoder
from attacks.training.precision import half

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}
FORMATS = ("PNG", "JPEG", "WEBP")  # nothing else is ever tried


@dataclass(frozen=True)
class Examples:
    """Crops that are drawn once, so that an encoder sees each of them once.

    Attributes:
        count: of the training crops; the photographs take turns.
        side: of a crop, px.
        held: crops of the other photographs, never trained on.
    """

    count: int
    side: int = 256
    held: int = 64


def photo_files(folder: str | Path) -> list[Path]:
    """Picture files of a folder in the order of their names.

    Raises:
        FileNotFoundError: if there is none, or no such folder.
    """
    if not Path(folder).expanduser().is_dir():
        raise FileNotFoundError(f"expected a folder of pictures, got {folder}")
    paths = sorted(path for path in Path(folder).expanduser().iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise FileNotFoundError(f"expected pictures ({', '.join(sorted(SUFFIXES))}) in {folder}, found none")
    return paths


def draw_crops(paths: list[Path], count: int, side: int, seed: int) -> Tensor:
    """Random crops, half of them mirrored: bytes ``(count, 3, side, side)``; photographs that are too small are left.

    Raises:
        ValueError: if all of them are.
    """
    paths = [path for path in paths if _short_side(path) >= side]
    if not paths:
        raise ValueError(f"expected photographs of {side} px a side or more, got smaller ones only")
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(paths), generator=generator).tolist()
    draws = torch.rand(count, 3, generator=generator, dtype=torch.float64).tolist()
    with ThreadPoolExecutor(2) as pool:
        crops = pool.map(lambda i: _crop(paths[order[i % len(order)]], side, draws[i]), range(count))
        return torch.stack(list(crops))


def _short_side(path: Path) -> int:
    with Image.open(path, formats=FORMATS) as picture:
        return min(picture.size)


def _crop(path: Path, side: int, draw: list[float]) -> Tensor:
    with Image.open(path, formats=FORMATS) as picture:
        pixels = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)
    top, left = (int(share * (length - side + 1)) for share, length in zip(draw, pixels.shape[-2:], strict=False))
    crop = pixels[:, top : top + side, left : left + side]
    return crop.flip(-1) if draw[2] < 0.5 else crop


@torch.no_grad()
def make_examples(crops: Tensor, coder: ImageCoder | None, device: torch.device) -> Tensor:
    """The crops themselves as bytes, or their codes in float16, four at a time; bfloat16 inside is exact enough."""
    if coder is None:
        return crops
    layout = torch.channels_last
    if isinstance(coder, nn.Module):
        coder.to(device=device, memory_format=layout)  # type: ignore[call-overload]
    with half(device):
        parts = (part.to(device=device, memory_format=layout) / 255 for part in crops.split(4))
        codes = [coder.encode(part).half().cpu() for part in parts]
    return torch.cat(codes)


def kept_examples(path: Path, paths: list[Path], count: int, side: int, coder: ImageCoder | None, seed: int) -> Tensor:
    """The examples of a run: read where they lie, else made and written there."""
    if not path.is_file():
        made = make_examples(draw_crops(paths, count, side, seed), coder, torch.device("cpu"))
        path.parent.mkdir(parents=True, exist_ok=True)
        save_atomically(made, path)
    examples: Tensor = torch.load(path, weights_only=True, mmap=True)
    return examples


def save_atomically(state: object, path: Path) -> None:
    """Write beside the target and rename: ``path`` holds the old state or the new one, whole."""
    beside = path.with_name(path.name + ".writing")
    torch.save(state, beside)
    beside.replace(path)
