"""How far a search has come."""

from dataclasses import dataclass

from torch import Tensor

from watermark.synchronization.geometry import Alignment


@dataclass(frozen=True)
class Search:
    """How far the search in N maps has come.

    Attributes:
        found: the best alignment of each map ``(N,)``, however low its score.
        doubtful: indices ``(D,)`` of the maps whose best is not believed.
        candidates: all that was found in these ``(D, C)``; those of a score of minus infinity are none. The message can
            tell which of them is right when the pilot cannot.
    """

    found: Alignment
    doubtful: Tensor
    candidates: Alignment

    @classmethod
    def started(cls, first: Alignment, accept: float) -> "Search":
        """From the candidates ``(N, C)`` of a first search; a score of ``accept`` is believed."""
        found = first.best()
        doubtful = (found.score < accept).nonzero()[:, 0]
        return cls(found, doubtful, first.select(doubtful))

    def among(self, hopeful: Tensor) -> "Search":
        """Without the doubtful maps ``(D,)`` that are not hopeful: they are left as they stand."""
        return Search(self.found, self.doubtful[hopeful], self.candidates.select(hopeful))
