"""A training small enough for a test: waves 1/32 cycles apart on 64 px crops of two synthetic pictures."""

from functools import partial

import numpy as np
import torch
from PIL import Image

from attacks.noise import GaussianNoise
from watermark.schemes.lattice.trained import trainable_mark
from watermark.training.curriculum import Curriculum
from watermark.training.lattice import LatticeTraining
from watermark.training.layers import JpegLayer
from watermark.training.loop import Schedule, Trainer
from watermark.training.losses import QualityGate, SurvivalLoss
from watermark.training.noise import NoiseLayer, NoisePool, strength
from watermark.training.optimiser import adamw
from watermark.training.photos import Crops
from watermark.training.processes import Processes
from watermark.training.validation import Validation


def pictures(count=2, side=96):
    rng = np.random.default_rng(0)
    coarse = [rng.integers(0, 256, (12, 12, 3), dtype=np.uint8) for _ in range(count)]
    return [Image.fromarray(block).resize((side, side), Image.Resampling.BICUBIC) for block in coarse]


def tiny_trainer(folder, steps=6, seed=0, loss=None, batch=2, processes=None, **schedule):
    torch.manual_seed(seed)
    band = {"spacing": 32, "low": 0.05, "high": 0.25, "pilot_lines": 12, "pilot_band": (0.08, 0.22)}
    core = trainable_mark(message_bits=32, width=4, **band)
    crops = Crops(pictures(), side=64, scales=(1.0, 1.2))
    layers = {
        "clean": NoiseLayer(()),
        "noise": NoiseLayer((strength(GaussianNoise, "sigma", 0.02, 0.1),)),
        "jpeg": NoiseLayer((strength(JpegLayer, "quality", 30, 90, whole=1),), gate=0.52),
    }
    return Trainer(
        model=LatticeTraining(core),
        optimiser=partial(adamw, network_rate=1e-3),
        crops=crops,
        noise=NoisePool(layers, group=1, worst_of=2),
        curriculum=Curriculum(first=(30, 32), last=(34, 38), gate=0.55, ramp=4),
        loss=loss or SurvivalLoss(need=3),
        quality=QualityGate(),
        validation=Validation(crops.centre(0), {"clean": []}, psnr=34, need=3),
        schedule=Schedule(**{"steps": steps, "batch": batch, "warmup": 2, "validate_every": 100, **schedule}),
        folder=folder,
        seed=seed,
        processes=processes or Processes(0, 1, torch.device("cpu")),
    )
