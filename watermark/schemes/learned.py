"""The learned scheme: lattice lines on two colour planes, with everything around them trained against real attacks.

Geometry, pilot and blind search are those of ``tile_spread``; what differs was learned by ``watermark train`` on
photographs: how the picture is whitened before the Fourier look-up, where on the spectrum and on which colour plane
the energy goes, how much each place may move, how lines are weighed by what the pilot says, how far the picture's own
objections are answered. No weight knows any key, so one set of weights serves every key.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Tensor

from watermark.keys import keyed_uniform
from watermark.schemes.base import Readout, Scheme
from watermark.schemes.lattice_mark import LatticeMark, Layout, working_copy
from watermark.synchronization import Alignment, Spectrum, Synchronizer
from watermark.transforms.color import luma

CANONICAL = 512
"""Short side, px, beyond which the mark grows with the picture, so that reducing a large picture keeps it."""
WEIGHTS = Path(__file__).with_name("weights")


class Learned(Scheme):
    """A trained lattice mark with blind synchronisation.

    Args:
        message_bits: channel bits; the weights do not depend on their number.
        key: secret of pilot, interleaving, signs and shifts.
        target_psnr: dB.
        weights: name of a file under ``watermark/schemes/weights`` or a path to a ``.safetensors`` file.
        rounds: how often the embedder asks the detector which bits the picture speaks against; each costs about as
            much as reading.
    """

    min_size = 64

    def __init__(
        self,
        message_bits: int = 1024,
        key: int = 0,
        target_psnr: float | None = 45.0,
        weights: str = "learned",
        rounds: int = 1,
    ) -> None:
        super().__init__(message_bits, key, target_psnr)
        if rounds < 0:
            raise ValueError(f"rounds must be at least 0, got {rounds}")
        self.rounds = rounds
        self.core = load_core(weights, message_bits)
        self._layout = self.core.layout(key)
        self.synchronizer = Synchronizer(self._layout.pilot)

    @property
    def layout(self) -> Layout:
        """What the key chose, on the device of the weights."""
        device = self.core.lines.device
        if self._layout.sign.device != device:
            self._layout = self._layout.to(device)
        return self._layout

    @torch.no_grad()
    def residual(self, images: Tensor, message: Tensor) -> Tensor:
        """See ``Scheme``; the tile starts at a place drawn from key, message and picture, so no two marks line up."""
        scale = max(1.0, min(images.shape[-2:]) / CANONICAL)
        psnr = torch.full((len(images),), self.target_psnr or 45.0, device=images.device)
        shift = self._shifts(images, message)
        return self.core.residual(images, message, self.layout, scale, shift, psnr, self.rounds)

    def _shifts(self, images: Tensor, message: Tensor) -> Tensor:
        small = F.adaptive_avg_pool2d(luma(images), 16).mul(255).round().byte().flatten(1)
        shifts = []
        for picture, bits in zip(small.cpu().numpy(), message.cpu().numpy(), strict=True):
            digest = hashlib.sha256(picture.tobytes() + bits.tobytes()).hexdigest()
            shifts.append(keyed_uniform(self.key, f"learned shift {digest}", 2) * self.core.tile)
        return torch.from_numpy(np.stack(shifts)).float().to(images.device)

    @torch.no_grad()
    def read(self, images: Tensor) -> Readout:
        """See ``Scheme``; the search looks at luma alone, so a grey picture is found as well as a coloured one."""
        small, step = working_copy(images)
        maps = self.core.maps(small)
        spectrum = Spectrum(maps.flatten(0, 1))
        luma_only = torch.arange(0, 2 * len(images), 2, device=images.device)
        short = min(small.shape[-2:]) / CANONICAL
        whole = bool((step == 1).all())
        likely = (short,) if short >= 1 and whole else (short, 1.0)
        where: Alignment = self.synchronizer(spectrum.select(luma_only), likely)
        lines = self.core.read_lines(spectrum, self.layout, where)
        return Readout(4 * self.core.soft_bits(lines, self.layout), where.hypotheses)


def load_core(weights: str, message_bits: int) -> LatticeMark:
    """The trained mark of a weights file; its architecture is written in the file's header.

    Raises:
        ValueError: if there is no such file, or it is not one of this scheme.
    """
    path = Path(weights) if weights.endswith(".safetensors") else WEIGHTS / f"{weights}.safetensors"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in WEIGHTS.glob("*.safetensors")))
        raise ValueError(f"no weights {weights!r}; expected a path to a .safetensors file or one of: {known}")
    with safe_open(str(path), framework="pt") as file:
        header = file.metadata() or {}
        if "lattice_mark" not in header:
            raise ValueError(f"{path.name} holds no weights of the learned scheme")
        core = LatticeMark(**{**json.loads(header["lattice_mark"]), "message_bits": message_bits})
        core.load_state_dict({name: file.get_tensor(name).float() for name in file.keys()})  # noqa: SIM118 - no dict
    return core.requires_grad_(False).eval()
