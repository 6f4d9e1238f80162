"""Part the tiles into those with the mark and those without: the likeliest map with short borders, by a minimum cut."""

import numpy as np
import scipy  # its parts are loaded where they are first used: who only detects does not wait for them
from numpy.typing import NDArray

BORDERS = (0.3, 0.6)
"""Natural logarithm of how much less likely a map gets with every tile side of border between its parts: the least and
the most."""
FAINT = 2.0
"""In between, this many times the mean evidence for the mark: where tiles say little, a high price would outweigh all
that an edited part can say."""
SPECK = 8.0
"""Evidence that a part must have on its own: among some thousand tiles a few pairs look like anything."""
LOOSE = (0.1, 1.2)
"""The price at which parts without the mark are looked for that the price above has outweighed: the least, and times
the mean evidence for the mark. Borders are ragged then, and noise makes parts of its own."""
SURE = 25.0
"""Evidence that such a part must have: its shape was chosen out of very many."""
KNOWN = 0.3
"""Share of it that may have been found before; more, and it is not another part but a ragged form of that one."""
CORE = 3
"""Tiles at its border whose labels are left open; the others are settled, and the border is drawn anew."""
_SETTLED = 50.0
_UNITS = 1000  # capacities are whole numbers


def parted(evidence: NDArray[np.float64], border: float | None = None) -> NDArray[np.bool_]:
    """The labels that maximise the evidence minus the length of the border.

    An Ising model, whose likeliest state is a minimum cut (Greig, Porteous and Seheult, J. R. Stat. Soc. B 51, 1989).
    The price that keeps borders smooth is more than a faint mark has to say about an edit of a tenth of the picture,
    though that stands out by many standard deviations. So parts are looked for at a lower price too; the middle of one
    that nothing else explains is settled, and the cut at the full price draws its border.

    Args:
        evidence: ``(R, Q)`` log of how much likelier each tile is with the mark than without.
        border: cost of a unit of border; diagonal neighbours share ``1 / sqrt(2)`` of it. None: by the evidence, and
            with the second look.

    Returns:
        ``(R, Q)`` True where the mark is.
    """
    if border is not None:
        return _without_specks(_cut(evidence, border), evidence)
    mean = float(np.maximum(evidence, 0).mean())
    full = float(np.clip(FAINT * mean, *BORDERS))
    labels = _without_specks(_cut(evidence, full), evidence)
    missed = _missed(_cut(evidence, min(full, max(LOOSE[0], LOOSE[1] * mean))), labels, evidence)
    if not missed.any():
        return labels
    core = scipy.ndimage.binary_erosion(missed, iterations=CORE, border_value=1)
    return _without_specks(_cut(np.where(core, -_SETTLED, evidence), full), evidence)


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


def _cut(evidence: NDArray[np.float64], border: float) -> NDArray[np.bool_]:
    """The likeliest labels ``(R, Q)``."""
    rows, columns = evidence.shape
    node = np.arange(evidence.size).reshape(rows, columns)
    source, sink = evidence.size, evidence.size + 1
    pairs = [
        (node[:, :-1], node[:, 1:], 1.0),
        (node[:-1], node[1:], 1.0),
        (node[:-1, :-1], node[1:, 1:], 0.5**0.5),
        (node[:-1, 1:], node[1:, :-1], 0.5**0.5),
    ]
    cost = [np.full(one.size, border * share / 2**0.5) for one, _, share in pairs]
    near, far = (np.concatenate([pair[i].ravel() for pair in pairs]) for i in (0, 1))
    weight = np.concatenate(cost)
    flat = evidence.ravel()
    first = np.concatenate([near, far, np.full(flat.size, source), node.ravel()])
    second = np.concatenate([far, near, node.ravel(), np.full(flat.size, sink)])
    capacity = np.concatenate([weight, weight, np.maximum(flat, 0), np.maximum(-flat, 0)])
    whole = np.rint(capacity * _UNITS).astype(np.int32)
    graph = scipy.sparse.csr_array((whole, (first, second)), shape=(flat.size + 2, flat.size + 2))
    left = graph - scipy.sparse.csgraph.maximum_flow(graph, source, sink).flow
    left.data = np.maximum(left.data, 0)
    left.eliminate_zeros()
    reached = scipy.sparse.csgraph.breadth_first_order(left, source, return_predecessors=False)
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
