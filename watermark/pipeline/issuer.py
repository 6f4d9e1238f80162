"""Whose pictures these are: slots and their keys, and content IDs that are reserved before any picture is marked."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from watermark.errors import UserError
from watermark.keystore import KeyFile
from watermark.pipeline.plan import Plan, Planned
from watermark.pipeline.sources import Entry
from watermark.registry import Registry, Slot
from watermark.registry.registry import Block
from watermark.shown import shown

TOGETHER = 4096
"""Given IDs that are looked up at once."""


class Issuer:
    """A registry with the keys of its slots.

    Args:
        registry: its location.
        key_files: of the slots; the first one also opens the registry.

    Raises:
        UserError: a key or the registry cannot be read.
    """

    def __init__(self, registry: str, key_files: Sequence[Path]) -> None:
        held = [KeyFile.load(path) for path in key_files]
        self.keys = {key.key_id: key for key in held}
        self.registry = Registry(registry, held[0].registry_key, create=False)
        self._slots: dict[int, Slot] = {}

    def slot(self, number: int | None) -> Slot:
        """The definition of a provider's slot, whose key is at hand.

        Raises:
            UserError: there is no such slot, or its key was not given.
        """
        if number is None:
            raise UserError("expected a provider for every picture: --provider, or a column of the manifest")
        if number not in self._slots:
            slot = self.registry.slot(number)
            if slot is None:
                raise UserError(f"slot {number} is not defined in this registry; see: watermark registry add-slot")
            if slot.key_id not in self.keys:
                raise UserError(f"slot {number} belongs to key {slot.key_id}; expected its --key-file")
            self._slots[number] = slot
        return self._slots[number]

    def reserve(self, number: int | None, count: int) -> tuple[int, int]:
        """Take IDs of a provider: first and last-but-one counter value."""
        block = self.registry.reserve(self.slot(number).slot, count)
        return block.start, block.stop

    def entries(self, entries: Iterable[Entry], provider: int | None) -> Iterator[Entry]:
        """The pictures with their providers.

        Args:
            entries: as the source lists them.
            provider: of those that name none.

        Raises:
            UserError: a provider cannot be served here, or an ID was never reserved in this registry.
        """
        rest = iter(entries)
        while held := list(islice(rest, TOGETHER)):
            held = [one if one.provider is not None else replace(one, provider=provider) for one in held]
            for number in dict.fromkeys(one.provider for one in held):
                given = [one for one in held if one.provider == number and one.content is not None]
                slot = self.slot(number).slot
                taken = self.registry.reserved(slot, [one.content or 0 for one in given]) if given else []
                for one, fine in zip(given, taken, strict=True):
                    if not fine:
                        raise UserError(
                            f"{shown(one.uri)}: content ID {one.content} of slot {slot} was never reserved; "
                            "see: watermark registry reserve"
                        )
            yield from held

    def check(self, plan: Plan) -> None:
        """Refuse a registry in which the plan's IDs were not reserved.

        Raises:
            UserError: it is another one, or was set back.
        """
        for number, (_, stop) in plan.blocks.items():
            last = self.registry.content_ids(Block(self.slot(number).slot, stop - 1, stop))
            if not all(self.registry.reserved(number, last)):
                raise UserError(f"the IDs of this target were not reserved in this registry (slot {number})")

    def ids(self, plan: Plan, planned: Sequence[Planned]) -> list[int]:
        """The content ID of every picture of a shard: its own, or the one of its place in the provider's block."""
        made: dict[tuple[int | None, int], int] = {}
        for number, (start, _) in plan.blocks.items():
            mine = [one.index for one in planned if one.entry.provider == number and one.index is not None]
            if mine:  # they follow each other, for they were counted in this order
                block = Block(number, start + mine[0], start + mine[-1] + 1)
                made |= {
                    (number, i): content for i, content in zip(mine, self.registry.content_ids(block), strict=True)
                }
        return [
            (one.entry.content or 0) if one.index is None else made[one.entry.provider, one.index] for one in planned
        ]
