"""Checkpoints that survive a kill at any moment, and a moving average of the weights."""

import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from watermark.errors import UserError
from watermark.files.whole import Staged


def save_atomically(state: dict[str, Any], path: Path) -> None:
    """Put a checkpoint in its place, so that ``path`` always holds a whole one: the old or the new.

    Raises:
        UserError: it cannot be written, or a link lies there; nothing else is left.
    """
    content = io.BytesIO()
    torch.save(state, content)
    with Staged(path, overwrite=True) as staged:
        staged.write(content.getbuffer())
        staged.release()


def load(path: Path, *needed: str) -> dict[str, Any]:
    """Read a checkpoint on the CPU; nothing but tensors and plain values is accepted.

    Args:
        path: of the file; it may be a stranger's.
        needed: entries that it must have.

    Raises:
        UserError: if it is no checkpoint, or holds anything else.
    """
    if not path.is_file():  # a named pipe would be waited for
        raise UserError(f"{path}: expected a checkpoint, got no regular file")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # a damaged file raises whatever its bytes lead to
        raise UserError(f"{path}: expected a checkpoint of tensors and plain values") from None
    if not isinstance(state, dict) or any(name not in state for name in needed):
        raise UserError(f"{path}: expected a checkpoint with {', '.join(needed) or 'named entries'}")
    return state


def moving_average(model: nn.Module, decay: float) -> AveragedModel:
    """A copy of the model whose parameters and buffers follow it as a warmed-up exponential moving average.

    Update n keeps the share ``min(decay, n / (10 + n))`` of the old average; integers are copied.

    Args:
        model: whose weights to follow, with ``update_parameters(model)``.
        decay: share of the old average that is kept at each step, once warm.
    """

    def blend(old: Tensor, new: Tensor, count: Tensor | int) -> Tensor:
        return old.lerp(new, 1 - min(decay, float(count / (10 + count)))) if old.is_floating_point() else new

    average = AveragedModel(model, avg_fn=blend, use_buffers=True)
    average.update_parameters(model)  # the first call copies: the average begins as the model, and n counts from 1
    return average
