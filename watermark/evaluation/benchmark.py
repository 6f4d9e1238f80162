"""What marking and reading cost against the size of the picture and of the batch: seconds and memory, one device.

The one way in which this toolkit times schemes. Attacks against other libraries' code: ``watermark attacks bench``.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from watermark.data.synthetic import SyntheticImages
from watermark.evaluation.memory import peak_bytes, reset_peak
from watermark.images import to_8bit
from watermark.watermarker import Watermarker

STAGES = ("embed", "read marked", "read unmarked")
REPEATS = 5
PATIENCE = 4.0
"""Seconds after which a case is not repeated again."""
_TILE = 1024  # px; a busy synthetic picture of this side, mirrored to whatever is asked for


@dataclass(frozen=True)
class Case:
    """One row.

    Attributes:
        scheme: name.
        stage: ``embed``; ``read marked`` and ``read unmarked`` are scheme and code together (a picture without a mark
            costs most where a search only ends when everything was tried).
        side: of the square pictures, px.
        batch: pictures at once.
        seconds: per picture, median over the repeats.
        slowest: per picture, the worst repeat.
        repeats: how many.
        peak_bytes: at its worst moment, see ``watermark.evaluation.memory``.
    """

    scheme: str
    stage: str
    side: int
    batch: int
    seconds: float
    slowest: float
    repeats: int
    peak_bytes: int


@torch.no_grad()
def measure(
    name: str,
    marker: Watermarker,
    sides: Sequence[int],
    batches: Sequence[int],
    device: torch.device,
    megapixels: float = 17.0,
) -> Iterator[Case]:
    """Time one scheme, smallest number of pixels first, so that memory grows with the cases.

    On a CPU one thread is used and its processor time counted (other work on the machine does not matter); on a GPU the
    clock, after synchronisation.

    Args:
        name: of the scheme, for the rows.
        marker: on ``device``.
        sides: of the square pictures, px; those under the scheme's ``min_size`` are left out.
        batches: pictures at once.
        device: where.
        megapixels: cases of more pixels than this in one batch are left out.
    """
    threads = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(1)
    cases = sorted(((side, batch) for side in sides for batch in batches), key=lambda case: case[0] ** 2 * case[1])
    try:
        for side, batch in cases:
            if side >= marker.scheme.min_size and side * side * batch <= megapixels * 1e6:
                yield from _case(name, marker, pictures(side, batch).to(device))
    finally:
        torch.set_num_threads(threads)


def pictures(side: int, batch: int) -> Tensor:
    """``(batch, 3, side, side)``: different crops of one busy picture, mirrored where it is too small."""
    tile = SyntheticImages(2, _TILE, _TILE).load(1)
    while tile.shape[-1] < side + 8 * batch:
        tile = torch.cat([tile, tile.flip(-1)], -1)
        tile = torch.cat([tile, tile.flip(-2)], -2)
    return torch.cat([tile[..., 8 * i : 8 * i + side, 8 * i : 8 * i + side] for i in range(batch)])


def _case(name: str, marker: Watermarker, originals: Tensor) -> Iterator[Case]:
    ids = list(range(len(originals)))
    marked = to_8bit(marker.embed(originals, 1, ids))
    calls: dict[str, Callable[[], object]] = {
        "embed": lambda: marker.embed(originals, 1, ids),
        "read marked": lambda: marker.detect(marked),
        "read unmarked": lambda: marker.detect(originals),
    }
    for stage, call in calls.items():
        reset_peak(originals.device)
        seconds = _times(call, originals.device)
        each = [value / len(originals) for value in seconds]
        peak = peak_bytes(originals.device)
        yield Case(
            name,
            stage,
            originals.shape[-1],
            len(originals),
            statistics.median(each),
            max(each),
            len(each),
            peak,
        )


def _times(call: Callable[[], object], device: torch.device) -> list[float]:
    """Seconds of some calls; the first one is thrown away where there is time for more."""
    seconds: list[float] = []
    while len(seconds) <= REPEATS and (not seconds or sum(seconds) < PATIENCE):
        began = _clock(device)
        call()
        seconds.append(_clock(device) - began)
    return seconds[1:] or seconds


def _clock(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return time.process_time()
