"""What a person sees of a training: a line with the time left, a file of figures, TensorBoard if it is installed."""

import contextlib
import json
import logging
import math
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from watermark.files.whole import check_free, told, write_whole

log = logging.getLogger(__name__)

PATIENCE = 60.0
"""Seconds after which whoever waits is told how far it is, whatever the steps between figures."""


class Journal:
    """Writes beside the checkpoints.

    Args:
        folder: of the run.
        steps: of the whole training.
        start: step at which this process begins.
    """

    def __init__(self, folder: Path, steps: int, start: int) -> None:
        self.steps, self.start, self.began = steps, start, time.monotonic()
        self._told = -math.inf
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "log.jsonl"
        check_free(self._path, overwrite=True)  # never through a link
        _forget_after(self._path, start)
        with told(self._path):
            self._file = self._path.open("a", encoding="utf-8")
        self._board: Any = None
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            log.info("no tensorboard here (extra 'train'); figures go to log.jsonl only")
        else:
            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=start)

    def write(self, step: int, kind: str, figures: dict[str, Any]) -> None:
        """One record: a line of ``log.jsonl``, and scalars for TensorBoard.

        Raises:
            UserError: the disk is full or gone; the last checkpoint stays, and the same command goes on from it.
        """
        with told(self._path):
            self._file.write(json.dumps({"step": step, "kind": kind, **figures}) + "\n")
            self._file.flush()
        for name, value in _flat(figures):
            self._show("add_scalar", f"{kind}/{name}", value, step)

    def overdue(self) -> bool:
        """Whether a line is due out of turn: after the first step, which says how long all takes, and each minute."""
        return time.monotonic() - self._told > PATIENCE

    def progress(self, step: int, figures: dict[str, Any]) -> None:
        """The line for the person who waits."""
        self._told = time.monotonic()
        seconds = (time.monotonic() - self.began) / max(1, step - self.start)
        left = seconds * (self.steps - step)
        shown = " ".join(f"{name} {value:.3g}" for name, value in _flat(figures))
        log.info("step %d/%d, %.2f s each, %s left: %s", step, self.steps, seconds, _clock(left), shown)

    def pictures(self, step: int, shown: Tensor) -> None:
        """Originals, marked pictures and residuals times ten as a grid; ``shown`` holds originals, then marked."""
        if self._board is None:
            return
        original, marked = shown.cpu().chunk(2)
        residual = (0.5 + 10 * (marked - original)).clamp(0, 1)
        rows = [torch.cat(list(part), 2) for part in (original, marked, residual)]
        self._show("add_image", "pictures", torch.cat(rows, 1), step)

    def _show(self, kind: str, *content: Any) -> None:
        """A full disk or a deleted folder costs the curves, not the training."""
        try:
            if self._board is not None:
                getattr(self._board, kind)(*content)
        except OSError as error:
            log.warning("no TensorBoard from here on: %s", error)
            self._board = None

    def close(self) -> None:
        """Flush everything; what cannot be was told when it was written."""
        with contextlib.suppress(OSError):
            self._file.close()
        if self._board is not None:
            self._board.close()


def _forget_after(path: Path, step: int) -> None:
    """Leave out what a killed process wrote after its last checkpoint: it is done again, the last line may be half."""
    if not path.exists():
        return
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if _is_until(line, step)]
    if kept != lines:
        write_whole(path, b"".join(kept), overwrite=True)


def _is_until(line: bytes, step: int) -> bool:
    try:
        return line.endswith(b"\n") and bool(json.loads(line)["step"] <= step)
    except (ValueError, TypeError, KeyError):
        return False


def _flat(figures: dict[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    pairs: list[tuple[str, float]] = []
    for name, value in figures.items():
        if isinstance(value, dict):
            pairs += _flat(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            pairs.append((prefix + name, float(value)))
    return pairs


def _clock(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"
