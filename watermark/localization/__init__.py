"""Where a proven mark lies in a picture, and where the picture was changed, with a stated false-alarm rate."""

from watermark.localization.answer import Localization
from watermark.localization.collage import MOST_MARKS, is_another, may_hold_more, without
from watermark.localization.locator import FALSE_ALARM_RATE, can_be_located, locatable, locate

__all__ = [
    "FALSE_ALARM_RATE",
    "MOST_MARKS",
    "Localization",
    "can_be_located",
    "is_another",
    "locatable",
    "locate",
    "may_hold_more",
    "without",
]
