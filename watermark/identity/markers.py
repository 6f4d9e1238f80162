"""From the registry's slots and the key files at hand to markers: one for issuing, all of them for tracing."""

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
    """The marker of a slot's definition, with rates and search as asked (default: those of ``Watermarker.load``).

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
    registry: "Registry", keys: Sequence["KeyFile"], *, search: str = DEFAULT_SEARCH, **rates: float
) -> list[Candidate]:
    """One marker for every pair of a key and a scheme that the registry's slots name, at its share of the rates.

    Raises:
        UserError: no slot belongs to any of the keys.
    """
    wanted: dict[tuple[str, str, str], tuple[KeyFile, Slot]] = {}
    for slot in registry.slots():
        for key in keys:
            if key.key_id == slot.key_id:
                wanted[key.key_id, slot.algorithm, slot.layout] = (key, slot)
    if not wanted:
        names = ", ".join(key.key_id for key in keys)
        raise UserError(f"no slot of this registry belongs to key {names}")
    shares = {name: rate / len(wanted) for name, rate in rates.items()}
    return [
        Candidate(marker_for(slot, key, search=search, **shares), key.key_id, slot.algorithm, slot.layout)
        for key, slot in wanted.values()
    ]
