"""Denoising PSNR for the card: ``python -m attacks.training.measure_denoiser FOLDER --model WEIGHTS`` (or dct)."""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from attacks.diffusion.models import Denoiser, pixel_model
from attacks.diffusion.priors import PRIORS
from attacks.training.autoencoder import load_photos
from attacks.training.measure import interval

SIGMAS = (15, 25, 50)
"""Standard deviations on 0..255, as the denoising literature reports."""


def denoising_psnr(model: Denoiser, photo: Tensor, sigma: float, seed: int) -> float:
    """PSNR in dB of one uint8 picture ``(3, H, W)``, denoised, not rounded; the noise is not clipped either."""
    clean = photo[None].float() / 127.5 - 1
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))
    level = sigma / 127.5
    found = model.denoise(clean + level * noise, torch.tensor([level])).clamp(-1, 1)
    return float(10 * torch.log10(4 / (found - clean).square().mean()))


def main(arguments: list[str] | None = None) -> None:
    """Command line of the module."""
    parser = argparse.ArgumentParser(prog="python -m attacks.training.measure_denoiser", description=__doc__)
    parser.add_argument("folder", type=Path, help="pictures that were never trained on")
    parser.add_argument("--model", default="dct", help=f"{', '.join(PRIORS)} or weights (default: dct)")
    options = parser.parse_args(arguments)
    photos, name = load_photos(options.folder), options.model
    model = pixel_model(name)
    sys.stdout.write("| model | sigma of 255 | n | mean PSNR, dB | 95 % interval |\n" + "|---" * 5 + "|\n")
    for sigma in SIGMAS:
        values = [denoising_psnr(model, photo, sigma, seed) for seed, photo in enumerate(photos)]
        low, high = interval(values)
        sys.stdout.write(f"| {name} | {sigma} | {len(values)} | {np.mean(values):.2f} | {low:.2f} to {high:.2f} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
