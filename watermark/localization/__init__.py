"""Where a proven mark lies in a picture, and where the picture was changed, with a stated false-alarm rate."""

from watermark.localization.answer import Localization
from watermark.localization.locator import FALSE_ALARM_RATE, locatable, locate

__all__ = ["FALSE_ALARM_RATE", "Localization", "locatable", "locate"]
