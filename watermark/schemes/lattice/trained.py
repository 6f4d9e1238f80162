"""The four strategies as networks, and the weights files that hold them."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from watermark.schemes.lattice.carriers import Band
from watermark.schemes.lattice.mark import LatticeMark, Strategies
from watermark.schemes.lattice.networks import BlockWhitening, LineWeights, Profile, TextureMask
from watermark.schemes.lattice.planes import YELLOW

WEIGHTS = Path(__file__).parent.with_name("weights")


def trainable_mark(
    message_bits: int = 1024,
    low: float = 0.02,
    high: float = 0.2,
    pilot_lines: int = 96,
    pilot_band: tuple[float, float] = (0.05, 0.18),
    pilot_share: float = 0.25,
    width: int = 24,
    chroma: float = -1.2,
    mask_exponent: float = 0.75,
    spacing: float = 128.0,
) -> LatticeMark:
    """A mark to be trained, which starts as a classical one that works.

    Args:
        message_bits: K, code bits per picture.
        low: inner radius of the band, cycles per plane px.
        high: outer radius.
        pilot_lines: number of pilot lines.
        pilot_band: radii between which pilot lines lie.
        pilot_share: share of the energy that the pilot takes.
        width: channels of the whitening networks; 0 for the classical blocks alone.
        chroma: start value of the log amplitude of the colour plane against luma.
        mask_exponent: start value of the activity mask's exponent.
        spacing: plane px; there is one line per ``spacing ** -2``.
    """
    band = Band(low, high, pilot_lines, pilot_band[0], pilot_band[1], spacing)
    strategies = Strategies(
        planes=YELLOW,
        whiten=nn.ModuleList([BlockWhitening(width=width), BlockWhitening(width=width)]),
        mask=TextureMask(mask_exponent),
        amplitude=Profile(low, high, 16, (0.0, chroma)),
        weights=LineWeights(low, high),
        rejection=nn.Parameter(torch.tensor(0.4)),
    )
    return LatticeMark(message_bits, band, pilot_share, strategies)


def weights_file(weights: str) -> Path:
    """Where the weights of a name, or of a path to a ``.safetensors`` file, lie.

    Raises:
        ValueError: if there is no such file.
    """
    path = Path(weights) if weights.endswith(".safetensors") else WEIGHTS / f"{weights}.safetensors"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in WEIGHTS.glob("*.safetensors")))
        raise ValueError(f"no weights {weights!r}; expected a path to a .safetensors file or one of: {known}")
    return path


def load_core(path: Path, message_bits: int) -> LatticeMark:
    """The trained mark of a weights file; its architecture is written in the file's header.

    Args:
        path: of the ``.safetensors`` file.
        message_bits: code bits per picture; the weights do not depend on their number.

    Raises:
        ValueError: if the file is not one of this scheme.
    """
    with _opened(path) as file:
        header = file.metadata() or {}
        if "lattice_mark" not in header:
            raise ValueError(f"{path.name} holds no weights of the learned scheme")
        core = trainable_mark(**{**json.loads(header["lattice_mark"]), "message_bits": message_bits})
        core.load_state_dict({name: file.get_tensor(name).float() for name in file.keys()})  # noqa: SIM118 - no dict
    return core


def _opened(path: Path) -> safe_open:
    try:
        return safe_open(str(path), framework="pt")
    except SafetensorError as error:
        raise ValueError(f"{path.name} is no safetensors file: {error}") from None
