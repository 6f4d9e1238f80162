"""bfloat16 where the machine computes with it, and float32 elsewhere."""

from collections.abc import Mapping

import torch

ARITHMETIC = ("avx512_bf16", "amx_bf16")


def half(device: torch.device, wanted: bool = True) -> torch.autocast:
    """Inside of this, networks compute in bfloat16; a processor that would imitate it, far more slowly, is spared.

    Args:
        device: where the network is.
        wanted: False leaves float32 alone.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted and (device.type != "cpu" or _has_arithmetic()))


def _has_arithmetic() -> bool:
    found: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # an older torch does not tell
    return any(bool(found.get(name)) for name in ARITHMETIC)
