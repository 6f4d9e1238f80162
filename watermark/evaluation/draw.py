"""Which attacked cells a picture meets where it does not meet all: dealt like cards, the same hand for every scheme.

The cells lie in a row, family by family; attacks within a family and rungs within an attack in a drawn order. The row
is cut into as many cards as there shall be readings, of every cell equally many. The pictures sit round a table in a
drawn order, and the cards are dealt in turn.

So every picture gets equally many cells, none twice, and of every family its share; every cell meets equally many
pictures, but for one; and every pair of a picture and a cell has the same chance to be drawn.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from watermark.errors import UserError
from watermark.keys import keyed_words

Name = tuple[str, float | None]
"""Attack and strength."""


@dataclass(frozen=True)
class Draw:
    """Who meets what.

    Attributes:
        order: the pictures, by number, as they sit; under a further key the table goes on with the same order.
        keys: how often every picture sits there.
        cards: numbers of the cards of every cell; card number t goes to seat t modulo the number of seats.
    """

    order: tuple[int, ...]
    keys: int
    cards: dict[Name, range]

    def met(self, cell: Name) -> Iterator[tuple[int, int]]:
        """Every picture that meets a cell, with the number of the key."""
        count = len(self.order)
        return ((self.order[card % count], card // count % self.keys) for card in self.cards[cell])

    def pictures(self, cell: Name) -> set[int]:
        """Those that meet a cell under any key."""
        return {picture for picture, _ in islice(self.met(cell), len(self.order))}  # they sit in turn

    def hands(self) -> dict[tuple[int, int], set[Name]]:
        """What every picture meets under every key."""
        found: dict[tuple[int, int], set[Name]] = {}
        for cell in self.cards:
            for seat in self.met(cell):
                found.setdefault(seat, set()).add(cell)
        return found


def draw(cells: Mapping[Name, str], pictures: Sequence[str], each: int, seed: int, keys: int = 1) -> Draw:
    """Deal ``each`` cells to every picture under every key.

    Args:
        cells: the attacked ones, with the family of the attack.
        pictures: their names.
        each: how many cells a picture meets.
        seed: of the run.
        keys: of the run; each has other cells, as far as there are enough.

    Raises:
        UserError: if there are not so many cells.
    """
    if not 1 <= each <= len(cells):
        raise UserError(f"cells: expected 1 to {len(cells)}, the attacked cells of the suite, got {each}")

    def word(purpose: str) -> int:
        return int(keyed_words(seed, purpose, 1)[0])

    row = sorted(cells, key=lambda cell: (cells[cell], word(f"place of {cell[0]}"), word(f"place of {cell}")))
    order = sorted(range(len(pictures)), key=lambda number: word(f"seat of {pictures[number]}"))
    cards, start = each * keys * len(pictures), word("first cut") % len(row)
    cuts = [-((start - place * cards) // len(row)) for place in range(len(row) + 1)]
    return Draw(tuple(order), keys, {cell: range(*ends) for cell, ends in zip(row, pairwise(cuts), strict=True)})
