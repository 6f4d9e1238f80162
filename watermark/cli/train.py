"""``watermark train``: Hydra composes model, noise, curriculum and optimiser; ``watermark.training`` runs them."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from watermark.cli import EXIT_INTERRUPTED, tell
from watermark.cli.hydra_verb import run_hydra, tell_typed
from watermark.config import build, config_names
from watermark.errors import UserError
from watermark.files import write_whole
from watermark.schemes.pair import PAIRS
from watermark.schemes.weights_file import read_weights
from watermark.shown import reason
from watermark.training.checkpoint import load
from watermark.training.config import TrainConfig
from watermark.training.loop import BEST, Trainer
from watermark.training.photos import SUFFIXES, Crops, bundled, folder
from watermark.training.processes import Processes
from watermark.training.validation import Validation

log = logging.getLogger(__name__)
PARTS = {"lattice_mark": "core", **dict.fromkeys(PAIRS, "pair")}
"""What a weights file holds, to the part of a training model that it came from."""


def main(argv: Sequence[str]) -> int:
    """Run Hydra on the words after ``train``; a training takes hours, so none begins where nothing was asked for."""
    if not argv:
        known = ", ".join(config_names("experiment"))
        said = f"say what to train: experiment=NAME, one of {known}; photographs: photos.train=FOLDER photos.val=FOLDER"
        return tell(UserError(f"{said}; see `watermark train --help`"))
    return run_hydra("train", argv, TrainConfig, _train)


def _train(config: DictConfig) -> None:
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO, datefmt="%H:%M:%S")
    logging.getLogger("watermark").setLevel(logging.INFO)
    if config.denoiser is not None:
        _train_denoiser(config)
        return
    processes = Processes.start(config.device)
    if processes.rank:
        logging.getLogger("watermark").setLevel(logging.WARNING)
    try:
        trainer = make_trainer(config, processes)
        log.info("%s", plan(trainer))
        trainer.run()
        log.info("%s", outcome(trainer))
        if trainer.step < trainer.schedule.steps:
            raise SystemExit(EXIT_INTERRUPTED)
    except ValueError as error:
        raise SystemExit(tell_typed(UserError(reason(error)))) from None
    except Exception as error:
        raise SystemExit(tell_typed(error)) from None
    finally:
        processes.stop()


def _train_denoiser(config: DictConfig) -> None:
    """Hand over to ``attacks``: a denoiser is part of an attack and knows nothing of marks."""
    logging.getLogger("attacks").setLevel(logging.INFO)
    target = Path(config.output) / config.name
    try:
        write_whole(target / "config.yaml", OmegaConf.to_yaml(config), overwrite=True)
        if None in (config.photos.train, config.photos.val):
            raise UserError("a denoiser needs photographs: give photos.train=FOLDER photos.val=FOLDER")
        device = Processes.start(config.device).device
        build(config.denoiser).run(config.photos.train, config.photos.val, target, config.seed, device)
    except ValueError as error:
        raise SystemExit(tell_typed(UserError(reason(error)))) from None
    except Exception as error:
        raise SystemExit(tell_typed(error)) from None


def make_trainer(config: DictConfig, processes: Processes | None = None) -> Trainer:
    """Build everything that a composed configuration describes; the run folder gets a copy of it."""
    processes = processes or Processes.start(config.device)
    torch.manual_seed(config.seed)  # before the networks are drawn
    train, val = _pictures(config.photos)
    crops = Crops(train, config.photos.side, tuple(config.photos.scales))
    held = Crops(val, config.photos.side)
    count = min(len(held), config.validation.limit)
    images = torch.cat([held.centre(index * len(held) // count) for index in range(count)])
    attacks = {name: [build(item) for item in chain] for name, chain in config.validation.attacks.items()}
    model = build(config.model)
    if config.start is not None:
        take_over(model, config.start, list(config.start_parts))
    target = Path(config.output) / config.name
    if processes.rank == 0:
        write_whole(target / "config.yaml", OmegaConf.to_yaml(config, resolve=True), overwrite=True)
    return Trainer(
        model=model,
        optimiser=build(config.optimizer),
        crops=crops,
        noise=build(config.noise),
        curriculum=build(config.curriculum),
        loss=build(config.loss),
        quality=build(config.quality),
        validation=Validation(images, attacks, config.validation.psnr, config.validation.need),
        schedule=build(config.schedule),
        folder=target,
        seed=config.seed,
        processes=processes,
    )


def plan(trainer: Trainer) -> str:
    """What is about to be trained, and how long: one line before the first figure."""
    schedule, crops, device = trainer.schedule, trainer.crops, trainer.processes.device
    steps = f"{schedule.steps} steps of {schedule.batch} crops of {crops.side} px"
    given = f"from {len(crops)} photographs on {device} -> {trainer.folder}"
    return f"training {trainer.folder.name}: {steps} {given}; Ctrl-C stops it, the same command goes on"


def outcome(trainer: Trainer) -> str:
    """The last line: what there is now, and how it goes on."""
    done, all_of = trainer.step, trainer.schedule.steps
    if done < all_of:
        return f"stopped after step {done} of {all_of}; the same command goes on"
    best = f"best score {trainer.best:.4f} in {trainer.folder / BEST}"
    return f"trained {all_of} steps, {best}; python -m watermark.training.export makes a weights file of it"


def take_over(model: nn.Module, start: str, parts: list[str]) -> None:
    """Begin with the averaged weights of another run; only those whose names contain one of ``parts``.

    Args:
        model: whose weights to replace.
        start: the other run's checkpoint, a weights file (``.safetensors``), or the name of one that ships.
        parts: of names.

    Raises:
        UserError: if there is no such checkpoint, or nothing in it fits.
    """
    held, own = _starting_values(start), model.state_dict()
    values = {name: value for name, value in held.items() if any(part in str(name) for part in parts)}
    if not values or not all(
        isinstance(value, Tensor)
        and name in own
        and own[name].shape == value.shape
        and (value.is_floating_point() or own[name].dtype == value.dtype)  # a weights file holds no integers
        for name, value in values.items()
    ):
        raise UserError(f"start: {start} does not fit this model (parts {', '.join(parts)})")
    model.load_state_dict({**own, **values})


def _starting_values(start: str) -> dict[str, Any]:
    """By the names of a training's parameters; a weights file holds its core or pair alone."""
    if Path(start).is_file() and not start.endswith(".safetensors"):
        held = load(Path(start), "values")["values"]
        return held if isinstance(held, dict) else {}
    try:
        file = read_weights(start, list(PARTS))
    except ValueError as error:
        raise UserError(f"start: expected a checkpoint, or weights; {reason(error)}") from None
    return {f"{PARTS[file.kind]}.{name}": value for name, value in file.values.items()}


def _pictures(photos: DictConfig) -> tuple[list[Any], list[Any]]:
    if (photos.train is None) != (photos.val is None):
        raise UserError("give both photos.train and photos.val, or neither (then the bundled photographs are used)")
    if photos.train is None:
        own = bundled()
        return own[:-1], own[-1:]
    for name in (photos.train, photos.val):
        if not Path(name).expanduser().is_dir():
            raise UserError(f"expected a folder of photographs, got {name}")
    pictures = folder(photos.train), folder(photos.val)
    for name, given, found in zip(("train", "val"), (photos.train, photos.val), pictures, strict=True):
        if not found:
            raise UserError(f"photos.{name}: expected {' '.join(sorted(SUFFIXES))} files in {given}, got none")
    return pictures


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
