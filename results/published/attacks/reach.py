"""How far 10 long gradient steps get where WAVES takes 200 short ones: ``python reach.py FOLDER``."""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from attacks.adversarial import EmbeddingAttack
from attacks.functional.codec import from_pillow
from attacks.regeneration import own_coder

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("folder", type=Path)
parser.add_argument("--count", type=int, default=8)
options = parser.parse_args()
paths = sorted(path for path in options.folder.iterdir() if path.suffix in (".webp", ".png", ".jpg"))
paths = paths[:: max(1, len(paths) // options.count)][: options.count]
images = torch.cat([from_pillow([Image.open(p).convert("RGB").crop((0, 0, 192, 192))], torch.zeros(1)) for p in paths])
encoder = own_coder("main")
codes = encoder.encode(images)


def reach(steps: int, pace: float) -> np.ndarray:
    attacked = EmbeddingAttack(4, encoder, steps, pace)(images)
    return (encoder.encode(attacked) - codes).square().mean((1, 2, 3)).numpy()


far = reach(200, 0.05)
shares = reach(10, 0.3) / far
draws = np.random.default_rng(0).choice(shares, (10_000, len(shares))).mean(1)
low, high = np.quantile(draws, (0.025, 0.975))
print(f"n {len(shares)}: mean {shares.mean():.3f} of the squared distance of 200 steps, 95 % {low:.3f} to {high:.3f}")
print(f"least {shares.min():.3f}, most {shares.max():.3f}")
