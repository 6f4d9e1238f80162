"""Part the tiles into those with the mark and those without: the likeliest map with short borders, by a minimum cut."""

import numpy as np
import scipy  # its parts are loaded where they are first used: who only detects does not wait for them
import torch
from numpy.typing import NDArray
from torch import Tensor

from watermark.localization.regions import box_sum

PRICE, AROUND = 0.77, 3
"""Natural logarithm of how much less likely a map gets with every tile side of border between its parts, as a multiple
of what tiles should score in the square of so many around; where they score little, a high price would outweigh all
that an edited part can say."""
PRICES = (0.2, 0.6)
"""The least and the most. Of 32 training photographs that nobody edited 31 have under 1 % called edited after JPEG 50,
and a pasted tenth has F1 .66 after JPEG 75. From .05 on: 25 and .69 with a multiple of .7, 32 and .62 with .85."""
SPECK = 16.0
"""Evidence that a part must have on its own: among some thousand tiles many small parts look like anything."""
LOOSE = 0.6
"""Share of the price at which parts without the mark are looked for that the price has outweighed. Borders are ragged
then, and noise makes parts of its own."""
SURE = 25.0
"""Evidence that such a part must have: its shape was chosen out of very many."""
KNOWN = 0.3
"""Share of it that may have been found before; more, and it is not another part but a ragged form of that one."""
CORE = 3
"""Tiles at its border whose labels are left open; the others are settled, and the border is drawn anew."""
_SETTLED = 50.0
_UNITS = 1000  # capacities are whole numbers


def border_price(wave: Tensor) -> NDArray[np.float64]:
    """The price ``(R, Q)`` of border beside every tile, from the scores that tiles should have, were they marked."""
    power = box_sum(wave.square(), AROUND) / box_sum(torch.ones_like(wave), AROUND)
    price: NDArray[np.float64] = (PRICE * power.sqrt()).clamp(*PRICES).double().cpu().numpy()
    return price


def parted(evidence: NDArray[np.float64], price: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The labels that maximise the evidence minus the price of the border.

    An Ising model, whose likeliest state is a minimum cut (Greig, Porteous and Seheult, J. R. Stat. Soc. B 51, 1989).
    The price that keeps borders smooth can be more than a faint mark has to say about an edit of a tenth of the
    picture, though that stands out by many standard deviations. So parts are looked for at a lower price too; the
    middle of one that nothing else explains is settled, and the cut at the full price draws its border.

    Args:
        evidence: ``(R, Q)`` log of how much likelier each tile is with the mark than without.
        price: ``(R, Q)`` of a unit of border beside each tile; of two the lower counts, and diagonal neighbours share
            ``1 / sqrt(2)`` of it.

    Returns:
        ``(R, Q)`` True where the mark is.
    """
    labels = _without_specks(_cut(evidence, price), evidence)
    missed = _missed(_cut(evidence, LOOSE * price), labels, evidence)
    if not missed.any():
        return labels
    core = scipy.ndimage.binary_erosion(missed, iterations=CORE, border_value=1)
    return _without_specks(_cut(np.where(core, -_SETTLED, evidence), price), evidence)


def _missed(loose: NDArray[np.bool_], labels: NDArray[np.bool_], evidence: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The parts without the mark in ``loose`` labels that have much evidence, and that ``labels`` know little of."""
    parts, count = scipy.ndimage.label(~loose)
    area, against, known = (
        np.bincount(parts.ravel(), of.ravel(), count + 1) for of in (np.ones_like(evidence), -evidence, 1.0 * ~labels)
    )
    missed = (against >= SURE) & (known <= KNOWN * area)
    missed[0] = False  # what is not of ``loose``
    found: NDArray[np.bool_] = missed[parts]
    return found


def _cut(evidence: NDArray[np.float64], price: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The likeliest labels ``(R, Q)``."""
    rows, columns = evidence.shape
    node = np.arange(evidence.size).reshape(rows, columns)
    source, sink = evidence.size, evidence.size + 1
    whole, first, last = slice(None), slice(None, -1), slice(1, None)
    pairs = [
        ((whole, first), (whole, last), 1.0),
        ((first, whole), (last, whole), 1.0),
        ((first, first), (last, last), 0.5**0.5),
        ((first, last), (last, first), 0.5**0.5),
    ]
    cost = [(np.minimum(price[one], price[other]) * share / 2**0.5).ravel() for one, other, share in pairs]
    near = np.concatenate([node[one].ravel() for one, _, _ in pairs])
    far = np.concatenate([node[other].ravel() for _, other, _ in pairs])
    weight = np.concatenate(cost)
    flat = evidence.ravel()
    sources = np.concatenate([near, far, np.full(flat.size, source), node.ravel()])
    sinks = np.concatenate([far, near, node.ravel(), np.full(flat.size, sink)])
    capacity = np.concatenate([weight, weight, np.maximum(flat, 0), np.maximum(-flat, 0)])
    units = np.rint(capacity * _UNITS).astype(np.int32)
    graph = scipy.sparse.csr_array((units, (sources, sinks)), shape=(flat.size + 2, flat.size + 2))
    rest = graph - scipy.sparse.csgraph.maximum_flow(graph, source, sink).flow
    rest.data = np.maximum(rest.data, 0)
    rest.eliminate_zeros()
    reached = scipy.sparse.csgraph.breadth_first_order(rest, source, return_predecessors=False)
    labels = np.zeros(flat.size + 2, dtype=bool)
    labels[reached] = True
    return labels[: flat.size].reshape(rows, columns)


def _without_specks(labels: NDArray[np.bool_], evidence: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Parts that stand on too little are given to what is around them."""
    kept = labels.copy()
    for value, sign in ((False, -1.0), (True, 1.0)):
        parts, count = scipy.ndimage.label(labels == value)
        weights = np.bincount(parts.ravel(), sign * evidence.ravel(), count + 1)
        faint = (weights < SPECK)[parts] & (labels == value)
        if not (faint | (labels != value)).all():  # one part is left at least
            kept[faint] = not value
    return kept
