"""StegaStamp (MIT; Tancik, Mildenhall, Ng 2020, arXiv:1904.05343) as the ONNX file that benchmarks share."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from watermark.errors import UserError
from watermark.keys import Key
from watermark.schemes.peers.peer import package
from watermark.schemes.peers.sized import SizedMark

SIDE, BITS = 400, 100
STAMPED, DECODED = 0, 2
"""Which outputs of the graph are the marked picture ``(N, 400, 400, 3)`` and the bits ``(N, 100)``."""


class StegaStamp(SizedMark):
    """StegaStamp's encoder and decoder in one graph: inputs ``image`` and ``secret``; it answers 100 bits.

    Its authors' 56 bits of text behind a BCH code are left out: the 100 raw bits carry our code word.

    Args:
        file: ``stega_stamp.onnx``, as in github.com/umd-huang-lab/WAVES (decoders).
        key: see ``Scheme``.
        target_psnr: dB; None: as the network makes it, about 28 to 32.

    Raises:
        UserError: if onnxruntime or the file is missing, or the file holds something else.
    """

    def __init__(self, file: str, *, key: Key, target_psnr: float | None = None) -> None:
        super().__init__(SIDE, BITS, key, target_psnr)
        runtime = package("onnxruntime", "stegastamp", "'robust-watermark[peers]'")
        if not Path(file).is_file():
            said = f"expected stega_stamp.onnx, got {file} (no such file)"
            raise UserError(f"file: {said}; docs/weights.md says how to get one")
        try:
            self._graph = runtime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has an exception for every kind of broken file
            raise UserError(f"{file}: no ONNX model ({' '.join(str(error).split()):.100})") from None
        names = {one.name for one in self._graph.get_inputs()}
        if names != {"image", "secret"} or len(self._graph.get_outputs()) <= DECODED:
            raise UserError(f"{file}: expected inputs image and secret and three outputs, got {', '.join(names)}")

    def change(self, images: Tensor, bits: Tensor) -> Tensor:
        """See ``SizedMark``."""
        stamped = self._run(images, bits)[STAMPED]
        return torch.from_numpy(stamped).permute(0, 3, 1, 2).to(images) - images

    def logits(self, images: Tensor) -> Tensor:
        """See ``SizedMark``; the graph gives bits alone."""
        decoded = self._run(images, images.new_zeros(len(images), BITS))[DECODED]
        return torch.from_numpy(decoded).to(images) - 0.5

    def _run(self, images: Tensor, bits: Tensor) -> list[NDArray[np.float32]]:
        """Picture by picture: what the graph makes of a batch differs between the files that are about."""
        asked = zip(images.permute(0, 2, 3, 1).split(1), bits.split(1), strict=True)
        answers = [
            self._graph.run(None, {"image": _array(image), "secret": _array(secret)})[: DECODED + 1]
            for image, secret in asked
        ]
        return [np.concatenate(parts) for parts in zip(*answers, strict=True)]


def _array(values: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(values.cpu().numpy(), dtype=np.float32)
