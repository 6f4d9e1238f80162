"""What marking and reading cost against the size of the picture and of the batch: seconds and memory, one device.

``watermark bench``: the one way in which this toolkit times schemes. Attacks against other libraries' code:
``watermark attacks bench``.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from attacks.rotation import Rotation
from watermark.data.synthetic import SyntheticImages
from watermark.evaluation.memory import peak_bytes, reset_peak
from watermark.evaluation.threads import one_thread
from watermark.images import to_8bit
from watermark.watermarker import Watermarker

TURN = 20.0
"""Degrees: far enough that no fast path reads the picture."""
REPEATS = 5
PATIENCE = 4.0
"""Seconds after which a case is not repeated again."""
_TILE = 1024  # px; a busy synthetic picture of this side, mirrored to whatever is asked for

Size = tuple[int, int]
"""Width and height, px."""


@dataclass(frozen=True)
class Case:
    """One row.

    Attributes:
        scheme: name.
        stage: ``embed``; ``read marked``, ``read rotated`` (marked, turned by ``TURN`` degrees) and ``read unmarked``
            are scheme and code together. A picture without a mark costs most where a search only ends when everything
            was tried.
        width: px.
        height: px.
        side: of the square with as many pixels, px.
        batch: pictures at once.
        seconds: per picture, median over the repeats.
        fastest: per picture, the best repeat.
        slowest: per picture, the worst repeat.
        repeats: how many.
        peak_bytes: at its worst moment, see ``watermark.evaluation.memory``.
        found: of a reading, in how many of the pictures a mark was found; None for ``embed``.
    """

    scheme: str
    stage: str
    width: int
    height: int
    side: int
    batch: int
    seconds: float
    fastest: float
    slowest: float
    repeats: int
    peak_bytes: int
    found: int | None


@torch.no_grad()
def measure(
    name: str,
    marker: Watermarker,
    sizes: Sequence[Size],
    batches: Sequence[int],
    device: torch.device,
    megapixels: float = 17.0,
) -> Iterator[Case]:
    """Time one scheme, smallest number of pixels first, so that memory grows with the cases.

    On a CPU one thread is used and its processor time counted (other work on the machine matters little); on a GPU the
    clock, after synchronisation.

    Args:
        name: of the scheme, for the rows.
        marker: on ``device``.
        sizes: width and height, px; those under the scheme's ``min_size`` are left out.
        batches: pictures at once.
        device: where.
        megapixels: cases of more pixels than this in one batch are left out.
    """
    cases = sorted(((size, batch) for size in sizes for batch in batches), key=lambda c: c[0][0] * c[0][1] * c[1])
    with one_thread(device):
        for (width, height), batch in cases:
            if min(width, height) >= marker.scheme.min_size and width * height * batch <= megapixels * 1e6:
                yield from _case(name, marker, pictures(width, height, batch).to(device))


def pictures(width: int, height: int, batch: int) -> Tensor:
    """``(batch, 3, height, width)``: different crops of one busy picture, mirrored where it is too small."""
    tile = SyntheticImages(2, _TILE, _TILE).load(1)
    while tile.shape[-1] < max(width, height) + 8 * batch:
        tile = torch.cat([tile, tile.flip(-1)], -1)
        tile = torch.cat([tile, tile.flip(-2)], -2)
    return torch.cat([tile[..., 8 * i : 8 * i + height, 8 * i : 8 * i + width] for i in range(batch)])


def _case(name: str, marker: Watermarker, originals: Tensor) -> Iterator[Case]:
    """Every stage on one batch."""
    ids = list(range(len(originals)))
    marked = to_8bit(marker.embed(originals, 1, ids))
    yield _timed(name, "embed", originals, partial(marker.embed, originals, 1, ids))
    read = {"read marked": marked, "read rotated": to_8bit(Rotation(TURN)(marked)), "read unmarked": originals}
    for stage, images in read.items():
        yield _timed(name, stage, images, partial(marker.detect, images))


def _timed(name: str, stage: str, images: Tensor, call: Callable[[], object]) -> Case:
    reset_peak(images.device)
    seconds, answer = _times(call, images.device)
    each = [value / len(images) for value in seconds]
    height, width = images.shape[-2:]
    return Case(
        scheme=name,
        stage=stage,
        width=width,
        height=height,
        side=round((width * height) ** 0.5),
        batch=len(images),
        seconds=statistics.median(each),
        fastest=min(each),
        slowest=max(each),
        repeats=len(each),
        peak_bytes=peak_bytes(images.device),
        found=sum(one.is_marked for one in answer) if isinstance(answer, list) else None,
    )


def _times(call: Callable[[], object], device: torch.device) -> tuple[list[float], object]:
    """Seconds of some calls, and what the last one gave; the first is thrown away where there is time for more."""
    seconds: list[float] = []
    while len(seconds) <= REPEATS and (not seconds or sum(seconds) < PATIENCE):
        began = _clock(device)
        answer = call()
        seconds.append(_clock(device) - began)
    return seconds[1:] or seconds, answer


def _clock(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return time.process_time()
