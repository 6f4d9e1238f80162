"""Labels beside the invisible mark: the AIGC metadata label, the visible label, the C2PA soft binding."""

from watermark.labels.aigc import AigcLabel, parse_label
from watermark.labels.carriers import FoundLabel, read_labels, save_with_label, with_label
from watermark.labels.provider_code import ProviderCode
from watermark.labels.visible import add_visible_label

__all__ = [
    "AigcLabel",
    "FoundLabel",
    "ProviderCode",
    "add_visible_label",
    "parse_label",
    "read_labels",
    "save_with_label",
    "with_label",
]
