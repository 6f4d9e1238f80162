"""From a picture, an alignment and a known message to a map.

The proof of a tile is that of a picture (``detection.null``): its soft bits against the signs of a message that it
knows nothing of, unless it carries the mark. What a tile should say if it carries the mark is asked of the picture:
take the mark off once, or off what never had it, and see what the same sums lose.
"""

from dataclasses import dataclass

import numpy as np
import scipy
import torch
import torch.nn.functional as F
from torch import Tensor

from watermark.detection.answer import Detection
from watermark.localization.answer import Localization
from watermark.localization.gain import tile_gain
from watermark.localization.parting import border_price, parted
from watermark.localization.regions import SIDES, Regions, box_sum, threshold
from watermark.localization.tiles import TILE, TileReader, tile_sum
from watermark.schemes.base import Scheme
from watermark.schemes.lattice.carriers import Carriers
from watermark.schemes.lattice.draw import reduced
from watermark.schemes.lattice.mark import upright
from watermark.schemes.lattice.scheme import LatticeScheme
from watermark.synchronization import Alignment, spectra
from watermark.transforms.waves import Canvas

FALSE_ALARM_RATE = 1e-2
"""Promised by default: one region in a hundred that does not carry the mark is called marked."""
MOST = 20.0
"""Evidence of a single tile, natural logarithm: where a map is nearly empty nothing is certain."""
WANTED = 5.0
"""Score that a region should have if it is marked; the smallest that should is looked at."""
TOLD = 2.5
"""Score that a region should have at least, were it marked, before it is called edited."""
SILENT = 100.0
"""Times its own power that a mark would have in a plane which says nothing of it: colour, in a grey picture."""
FITTED = 5
"""Side of the regions that tell how loud the mark is, in tiles."""
EMPTY = 0.05
"""Share of the usual deviation below which a tile shows nothing at all: one colour, or what compression made of it."""
PROBE = 45.0
"""dB of the mark that is taken off."""


@dataclass(frozen=True)
class _Evidence:
    """Of every tile, ``(R, Q)``.

    Attributes:
        score: of the region around it.
        expected: what this would be if the region were marked.
        own: log of how much likelier the tile alone is with the mark than without.
        wave: score that the tile alone should have, were it marked.
        side: of the region, in tiles.
        empty: whether the tile itself shows nothing: it may be edited, and carries no mark.
        size: height and width of the picture as it was read, px.
    """

    score: Tensor
    expected: Tensor
    own: Tensor
    wave: Tensor
    side: Tensor
    empty: Tensor
    size: tuple[int, int]


def can_be_located(scheme: Scheme) -> bool:
    """Whether a scheme's marks can be looked for part by part."""
    return isinstance(scheme, LatticeScheme)


def locatable(scheme: Scheme, false_alarm_rate: float) -> LatticeScheme:
    """The scheme, if its marks can be looked for part by part.

    Raises:
        ValueError: it is of another family, or the rate out of range.
    """
    if not isinstance(scheme, LatticeScheme):
        raise ValueError(
            f"expected a scheme whose marks can be located (tile_spread, learned and their tough ones), "
            f"got {type(scheme).__name__}"
        )
    if not 0 < false_alarm_rate <= 0.1:
        raise ValueError(f"false_alarm_rate must be above 0 and at most 0.1, got {false_alarm_rate}")
    return scheme


@torch.no_grad()
def locate(
    scheme: LatticeScheme,
    image: Tensor,
    where: Alignment,
    message: Tensor,
    detection: Detection,
    false_alarm_rate: float,
    size: tuple[int, int],
) -> Localization:
    """Map one picture.

    Args:
        scheme: whose mark it is.
        image: ``(1, 3, h, w)`` as it was read.
        where: the alignment of the reading that proved the mark, fields ``(1, ...)``.
        message: ``(1, K)`` bool, the proven word.
        detection: what was answered.
        false_alarm_rate: promised share of regions without the mark that are called marked.
        size: height and width of the map.
    """
    evidence = _evidence(scheme, image, where, message)
    labels = torch.from_numpy(parted(evidence.own.double().cpu().numpy(), border_price(evidence.wave)))
    score, expected, side = evidence.score.cpu(), evidence.expected.cpu(), evidence.side.cpu()
    marked = labels & (score >= threshold(false_alarm_rate)) & ~_mixed(~labels, side) & ~evidence.empty.cpu()
    told = ~labels & (expected >= TOLD)
    filled = scipy.ndimage.binary_fill_holes(told.numpy())  # what an edit surrounds was edited with it
    edited = torch.from_numpy(filled) & ~labels
    scale = size[0] / evidence.size[0]
    shown = [enlarged(each.float(), scale, size) > 0.5 for each in (edited, marked)]
    there = shown[1] & ~shown[0]
    return Localization(
        marked=there.numpy(),
        edited=shown[0].numpy(),
        unknown=(~there & ~shown[0]).numpy(),
        score=enlarged(score, scale, size).numpy().astype(np.float32),
        reach=enlarged(side * (scale * TILE / 2), scale, size).numpy().astype(np.float32),
        false_alarm_rate=false_alarm_rate,
        detection=detection,
    )


def _mixed(edited: Tensor, side: Tensor) -> Tensor:
    """Tiles so near to an edit that a good part of the region around them lies in it."""
    mixed = torch.zeros_like(edited)
    for one in SIDES:
        radius = max(1, one // 4)
        near = F.max_pool2d(edited.float()[None], 2 * radius + 1, 1, radius)[0] > 0
        mixed |= near & (side == one)
    return mixed


def _evidence(scheme: LatticeScheme, image: Tensor, where: Alignment, message: Tensor) -> _Evidence:
    small = reduced(image)[0].clamp(0, 1)
    maps = scheme.core.maps(small)  # (1, 2, h, w)
    size = (maps.shape[2], maps.shape[3])
    canvas = Canvas(where.frequencies(scheme.carriers.frequencies), size)
    drawn = scheme.core.drawn(small, message, scheme.carriers, where, PROBE, canvas)
    probed = maps - scheme.core.maps((small - drawn).clamp(0, 1))
    whole = scheme.core.read_lines(spectra(maps), scheme.carriers, where)
    right = upright(whole, scheme.carriers)
    trust = scheme.core.weights(right, scheme.carriers)[0]  # (2, L)
    trust = trust * (right * whole.conj()).real.sign()[0]  # where the pilot stands upside down lines are turned
    reader = TileReader(where, scheme.carriers, maps[0])
    power = reader.power()
    heard = reader.power(probed[0]).mean(1, keepdim=True) <= SILENT * power.mean(1, keepdim=True)
    weights = trust * heard / power.sqrt().clamp_min(1e-9)  # (2, L)
    signs = message[0].to(maps.dtype) * 2 - 1
    regions = Regions(reader.soft_bits(weights, scheme.message_bits), signs, reader.grid)
    regions.told *= regions.told.sum().sign()  # of a negative
    mark = canvas.draw((weights * matched(signs, scheme.carriers, where))[None])  # what tiles are held against
    response = tile_sum((probed * mark).sum(1)).abs()[0]  # what a mark is to a tile
    return _combined(regions, response, _swing(scheme.core.planes.split(small)[0, 0]), size)


def _swing(luma: Tensor) -> Tensor:
    """Standard deviation ``(R, Q)`` of the luma ``(h, w)`` in every tile."""
    count, first, second = tile_sum(torch.stack([torch.ones_like(luma), luma, luma.square()]))
    return (second / count - (first / count).square()).clamp_min(0).sqrt()


def matched(signs: Tensor, carriers: Carriers, where: Alignment) -> Tensor:
    """A message ``(K,)`` of -1 and 1 as lines ``(L,)`` of a picture, every symbol of height one, without the pilot.

    Weighed and drawn, this is the mark that tiles are held against: the sum of its product with a tile is the
    correlation of the tile's soft bits with the message.
    """
    data = signs[carriers.bit] * carriers.sign  # (2, L)
    return torch.complex(data[0], data[1]) * carriers.phase * where.phases(carriers.frequencies)[0].conj()


def _combined(regions: Regions, response: Tensor, swing: Tensor, size: tuple[int, int]) -> _Evidence:
    """Choose the size of the region around every tile by what it should say, never by what it says."""
    sums = {side: regions.scores(side) for side in SIDES}
    usual = _usual(regions.alone)
    told, alone, empty = regions.told, regions.alone.clamp_min(EMPTY * usual), regions.alone < EMPTY * usual
    loud = response * tile_gain(told, alone, response, swing, empty, sums[FITTED], FITTED)
    score, wanted = (part / sums[SIDES[-1]][1] for part in (sums[SIDES[-1]][0], box_sum(loud, SIDES[-1])))
    chosen = torch.full(score.shape, SIDES[-1], device=score.device)
    for side in reversed(SIDES[:-1]):
        of_region, deviation = sums[side]
        expected = box_sum(loud, side) / deviation
        score = torch.where(expected >= WANTED, of_region / deviation, score)
        wanted = torch.where(expected >= WANTED, expected, wanted)
        chosen = torch.where(expected >= WANTED, side, chosen)
    overlap = sums[SIDES[0]][1].square() / box_sum(alone.square(), SIDES[0])  # of a tile with those around it
    shared = overlap[~empty].median().clamp_min(1)
    wave = loud / alone
    own = (wave * told / alone - wave.square() / 2) / shared
    return _Evidence(score, wanted, own.clamp(-MOST, MOST), wave, chosen, empty, size)


def _usual(deviation: Tensor) -> float:
    """What half of all deviation lies above: of a page around a picture most tiles show nothing, and do not count."""
    falling = deviation.flatten().sort(descending=True).values
    return float(falling[torch.searchsorted(falling.cumsum(0), falling.sum() / 2)])


def enlarged(values: Tensor, scale: float, size: tuple[int, int]) -> Tensor:
    """Of tiles ``(R, Q)``, each ``TILE * scale`` px, to pixels; the last tiles may hang over the border."""
    whole = [max(round(count * TILE * scale), side) for count, side in zip(values.shape, size, strict=True)]
    large = F.interpolate(values[None, None], whole, mode="bilinear", align_corners=False)
    return large[0, 0, : size[0], : size[1]]
