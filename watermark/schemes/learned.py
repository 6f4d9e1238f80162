"""The learned scheme: the same keyed waves, with everything around them trained against real attacks.

Geometry, pilot and blind search are those of ``tile_spread``; what differs was learned by ``watermark train`` on
photographs: how the picture is whitened before the Fourier look-up, where on the spectrum and on which colour plane
the energy goes, how much each place may move, how lines are weighed by what the pilot says, how far the picture's own
objections are answered. No weight knows any key, so one set of weights serves every key.
"""

from watermark.keys import Key
from watermark.schemes.lattice.scheme import LatticeScheme
from watermark.schemes.lattice.trained import trainable_mark
from watermark.schemes.weights_file import read_weights


class Learned(LatticeScheme):
    """The trained scheme of the family.

    Args:
        message_bits: channel bits; the weights do not depend on their number.
        key: secret of lines, phases, poses, interleaving and signs.
        target_psnr: dB.
        weights: name of a file under ``watermark/schemes/weights`` or a path to a ``.safetensors`` file.
        rounds: how often the embedder asks the detector which bits the picture speaks against.
        flat_share: the greatest RMS of the mark in flat areas, as a share of the RMS that ``target_psnr`` stands for: a
            slide or a logo is marked more faintly rather than showing grain.
        target_evidence: decades by which the message is to stand above chance after half size and JPEG 50; each picture
            is then marked only as strongly as that takes, at ``target_psnr`` at the strongest. None: all at it.
    """

    name = "learned"

    def __init__(
        self,
        message_bits: int = 1024,
        *,
        key: Key,
        target_psnr: float | None = 45.0,
        weights: str = "learned",
        rounds: int = 1,
        flat_share: float = 0.75,
        target_evidence: float | None = None,
    ) -> None:
        file = read_weights(weights, ["lattice_mark"])
        core = file.load(trainable_mark, message_bits=message_bits)
        super().__init__(message_bits, key, target_psnr, core, rounds, flat_share, target_evidence)
        self.weights_sha256 = file.sha256
