"""Robust invisible watermarks: embed provider and content IDs, detect them, and measure what survives.

>>> import watermark
>>> sorted(watermark.__all__)
['Detection', 'Keyring', 'Layout', 'Payload', 'Readout', 'Scheme', 'UserError', 'Watermarker', '__version__']
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from watermark.codec import Layout, Payload
    from watermark.detection import Detection
    from watermark.errors import UserError
    from watermark.keyring import Keyring
    from watermark.schemes.base import Readout, Scheme
    from watermark.watermarker import Watermarker

    __version__: str

__all__ = ["Detection", "Keyring", "Layout", "Payload", "Readout", "Scheme", "UserError", "Watermarker", "__version__"]

_HOMES = {
    "Detection": "watermark.detection",
    "Keyring": "watermark.keyring",
    "Layout": "watermark.codec",
    "Payload": "watermark.codec",
    "Readout": "watermark.schemes.base",
    "Scheme": "watermark.schemes.base",
    "UserError": "watermark.errors",
    "Watermarker": "watermark.watermarker",
}


def __getattr__(name: str) -> Any:
    """Import a public name, and with it torch, when it is asked for: ``watermark --help`` and the report need none."""
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("robust-watermark")
        except PackageNotFoundError:  # a clone on PYTHONPATH, never installed
            return "0+unknown"
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
