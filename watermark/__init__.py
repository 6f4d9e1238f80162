"""Robust invisible watermarks: embed provider and content IDs, detect them, and measure what survives."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from watermark.watermarker import Watermarker

__all__ = ["Watermarker"]


def __getattr__(name: str) -> Any:
    """Import torch only when ``Watermarker`` is asked for: ``watermark --help`` and the report need none."""
    if name == "Watermarker":
        from watermark.watermarker import Watermarker

        return Watermarker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
