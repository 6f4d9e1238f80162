"""Train a surrogate detector: ``python -m attacks.training.surrogate MARKED UNMARKED --output surrogate.safetensors``.

MARKED and UNMARKED are folders of pictures, of our own mark or of anybody's that one may use; every fifth picture of
each is held out to count how often the surrogate is right.
"""

import argparse
import sys
from pathlib import Path

import torch
from torch import Tensor

from attacks.surrogate import Surrogate, save_surrogate, train_surrogate
from attacks.training.autoencoder import load_photos

HELD_OUT = 5
"""One picture in this many is not trained on."""


def main(arguments: list[str] | None = None) -> None:
    """Command line of the module."""
    parser = argparse.ArgumentParser(prog="python -m attacks.training.surrogate", description=__doc__)
    parser.add_argument("marked", type=Path, help="folder of marked pictures")
    parser.add_argument("unmarked", type=Path, help="folder of unmarked ones, best the same pictures")
    parser.add_argument("--output", type=Path, required=True, help="where to write the .safetensors")
    parser.add_argument("--steps", type=int, default=300, help="of Adam, 32 crops each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        marked, unmarked = load_photos(options.marked), load_photos(options.unmarked)
    except OSError as error:
        parser.error(str(error))
    if min(len(marked), len(unmarked)) < HELD_OUT:
        parser.error(f"expected {HELD_OUT} pictures or more of each kind, got {len(marked)} and {len(unmarked)}")
    surrogate = train_surrogate(_others(marked), _others(unmarked), options.steps, seed=options.seed)
    save_surrogate(surrogate, options.output)
    right, wrong = (count_marked(surrogate, kind[::HELD_OUT]) for kind in (marked, unmarked))
    sys.stdout.write(
        f"{options.output}: of the pictures held out, {right} of {len(marked[::HELD_OUT])} marked ones are taken for "
        f"marked, and {wrong} of {len(unmarked[::HELD_OUT])} unmarked ones\n"
    )


def _others(photos: list[Tensor]) -> list[Tensor]:
    return [photo for i, photo in enumerate(photos) if i % HELD_OUT]


def count_marked(surrogate: Surrogate, photos: list[Tensor]) -> int:
    """How many of the pictures, bytes ``(3, H, W)``, the surrogate takes for marked."""
    with torch.no_grad():
        return sum(bool(surrogate(photo[None].float() / 255) > 0) for photo in photos)


if __name__ == "__main__":
    main()
