"""From a checkpoint to what ships: averaged weights in a safetensors file that says how to build the network.

``python -m watermark.training.export RUN_FOLDER OUT.safetensors``
"""

import argparse
import hashlib
import json
import logging
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from safetensors.torch import save_file

from watermark.errors import UserError
from watermark.shown import reason
from watermark.training.checkpoint import load

log = logging.getLogger(__name__)


def export(run: Path, out: Path, checkpoint: str = "best.pt", sharpen_mask: float = 0.0) -> str:
    """Write the averaged weights of a training run, of a ``learned`` model or of a pair; returns the file's sha256.

    Args:
        run: folder of the training run.
        out: file to write.
        checkpoint: which of its checkpoints.
        sharpen_mask: added to the exponents of a ``learned`` model's mask: more moves the mark from flat areas into
            texture, whatever the training loss thought of it; the eye has the last word.

    Raises:
        ValueError: if ``sharpen_mask`` is given for a model without a mask.
    """
    state = load(run / checkpoint, "values", "step")
    config: Any = OmegaConf.to_container(OmegaConf.load(run / "config.yaml"))  # interpolations stay text
    part = "pair" if "pair" in config["model"] else "core"
    if sharpen_mask and part == "pair":
        raise ValueError("a pair has no mask to sharpen")
    settings: dict[str, Any] = config["model"][part]
    target = settings.pop("_target_")  # the header holds plain settings: nothing in a weights file names code to run
    values = {name.removeprefix(f"{part}."): value.float().contiguous() for name, value in state["values"].items()}
    if part == "core":
        values["mask.exponent"] = values["mask.exponent"] + sharpen_mask
    kind = "lattice_mark" if part == "core" else str(target).rpartition(".")[2]
    header = {
        kind: json.dumps(settings, sort_keys=True),
        "step": str(state["step"]),
        "name": str(config["name"]),
        "sharpen_mask": str(sharpen_mask),
    }
    save_file(values, str(out), metadata=header)
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    log.info("%s: step %d, %d bytes, sha256 %s", out, state["step"], out.stat().st_size, digest)
    return digest


def main(arguments: list[str] | None = None) -> None:
    """Command line of the module."""
    parser = argparse.ArgumentParser(prog="python -m watermark.training.export", description=__doc__)
    parser.add_argument("run", type=Path, help="folder of the training run")
    parser.add_argument("out", type=Path, help=".safetensors to write")
    parser.add_argument("--checkpoint", default="best.pt", help="best.pt or last.pt")
    parser.add_argument("--sharpen-mask", type=float, default=0.0, help="added to the mask's exponents")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        export(options.run, options.out, options.checkpoint, options.sharpen_mask)
    except (OSError, UserError, ValueError) as error:
        parser.exit(2, f"watermark: {reason(error)}\n")


if __name__ == "__main__":
    main()
