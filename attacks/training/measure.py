"""Round-trip PSNR of the shipped auto-encoders for their card: ``python -m attacks.training.measure FOLDER``."""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

from attacks.autoencoder import load_autoencoder
from attacks.regeneration import OWN, WEIGHTS
from attacks.training.autoencoder import load_photos, round_trip_psnr


def interval(values: list[float], seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of the mean over pictures, 10,000 draws."""
    draws = np.random.default_rng(seed).choice(values, (10_000, len(values))).mean(1)
    low, high = np.quantile(draws, (0.025, 0.975))
    return float(low), float(high)


def main(arguments: list[str] | None = None) -> None:
    """Command line of the module."""
    parser = argparse.ArgumentParser(prog="python -m attacks.training.measure", description=__doc__)
    parser.add_argument("folder", type=Path, help="pictures that were never trained on")
    folder = parser.parse_args(arguments).folder
    photos = load_photos(folder)
    sys.stdout.write("| model | parameters | n | mean PSNR, dB | 95 % interval | worst | best |\n" + "|---" * 7 + "|\n")
    for name, file in OWN.items():
        model = load_autoencoder(WEIGHTS / file)
        values = [round_trip_psnr(model, photo) for photo in photos]
        low, high = interval(values)
        size = sum(parameter.numel() for parameter in model.parameters())
        facts = f"| {name} | {size:,} | {len(values)} | {np.mean(values):.2f} | {low:.2f} to {high:.2f} "
        sys.stdout.write(f"{facts}| {min(values):.2f} | {max(values):.2f} |\n")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
