"""From soft decisions to a decision with a provable false-positive rate."""

from watermark.detection.answer import Detection, PublicAnswer
from watermark.detection.detector import MISATTRIBUTION_RATE, Detector
from watermark.detection.null import log10_p_value
from watermark.detection.ring import RingDetector

__all__ = ["MISATTRIBUTION_RATE", "Detection", "Detector", "PublicAnswer", "RingDetector", "log10_p_value"]
