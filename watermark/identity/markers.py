"""From the registry's slots and the key files at hand to markers: one for issuing, all of them for tracing."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from watermark.errors import UserError
from watermark.identity.tracing import Candidate
from watermark.schemes.base import DEFAULT_SEARCH

if TYPE_CHECKING:
    from watermark.keystore import KeyFile
    from watermark.registry import Registry, Slot
    from watermark.watermarker import Watermarker


def marker_for(slot: "Slot", key: "KeyFile", target_psnr: float | None = None, **asked: Any) -> "Watermarker":
    """The marker of a slot's definition; the rest as asked, or as ``Watermarker.load`` has it.

    Raises:
        UserError: the scheme or layout is not installed here.
    """
    from watermark.watermarker import Watermarker

    settings: dict[str, Any] = {} if target_psnr is None else {"target_psnr": target_psnr}
    try:
        return Watermarker.load(slot.algorithm, key=key.mark_key, layout=slot.layout, **asked, **settings)
    except (ValueError, RuntimeError) as error:
        raise UserError(f"slot {slot.slot}: {str(error).splitlines()[0]}") from None


def candidates_for(
    registry: "Registry",
    keys: Sequence["KeyFile"],
    *,
    sync_key: bytes | None = None,
    search: str = DEFAULT_SEARCH,
    **rates: float,
) -> list[Candidate]:
    """What to look for: every pair of a key and a scheme that the registry's slots name, at its share of the rates.

    Args:
        registry: whose slots say which scheme and layout a key marks with.
        keys: at hand.
        sync_key: what the marks were made with, if any; then the keys of one scheme and layout are asked in one read.
        search: see ``Watermarker``.
        rates: promised for the answer as a whole.

    Raises:
        UserError: no slot belongs to any of the keys.
    """
    owned: dict[tuple[str, str], dict[str, list[Slot]]] = defaultdict(lambda: defaultdict(list))
    held = {key.key_id: key for key in keys}
    for slot in registry.slots():
        if slot.key_id in held:
            owned[slot.algorithm, slot.layout][slot.key_id].append(slot)
    if not owned:
        raise UserError(f"no slot of this registry belongs to key {', '.join(held)}")
    apart: list[list[Slot]] = []  # the slots of each candidate
    for by_key in owned.values():
        single = [slots[0] for slots in by_key.values() if len(slots) == 1]  # a ring has one provider for each key
        together = single if sync_key is not None and len(single) > 1 else []
        apart += [[slots[0]] for slots in by_key.values() if slots[0] not in together]
        apart += [together] if together else []
    asked = {"search": search, "sync_key": sync_key, **{name: rate / len(apart) for name, rate in rates.items()}}
    return [_candidate(slots, held, asked) for slots in apart]


def _candidate(slots: Sequence["Slot"], held: dict[str, "KeyFile"], asked: dict[str, Any]) -> Candidate:
    """The marker of one key, or the ring of several that mark with one scheme and layout."""
    from watermark.keyring import Keyring

    first = slots[0]
    if len(slots) == 1:
        finder: Watermarker | Keyring = marker_for(first, held[first.key_id], **asked)
    else:
        secrets = {slot.slot: held[slot.key_id].mark_key for slot in slots}
        try:
            finder = Keyring.load(first.algorithm, secrets, layout=first.layout, **asked)
        except (ValueError, RuntimeError) as error:
            raise UserError(f"slot {first.slot}: {str(error).splitlines()[0]}") from None
    return Candidate(finder, tuple(slot.key_id for slot in slots), first.algorithm, first.layout)
