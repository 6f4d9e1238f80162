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
_UNITS = 1000  # capacities are whole numbers


def parted(evidence: NDArray[np.float64], border: float | None = None) -> NDArray[np.bool_]:
    """The labels that maximise the evidence minus the length of the border.

    An Ising model, whose likeliest state is a minimum cut (Greig, Porteous and Seheult, J. R. Stat. Soc. B 51, 1989).

    Args:
        evidence: ``(R, Q)`` log of how much likelier each tile is with the mark than without.
        border: cost of a unit of border; diagonal neighbours share ``1 / sqrt(2)`` of it. None: by the evidence.

    Returns:
        ``(R, Q)`` True where the mark is.
    """
    if border is None:
        border = float(np.clip(FAINT * np.maximum(evidence, 0).mean(), *BORDERS))
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
    return _without_specks(labels[: flat.size].reshape(rows, columns), evidence)


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
