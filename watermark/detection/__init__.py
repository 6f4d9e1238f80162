"""From soft decisions to a decision with a provable false-positive rate."""

from watermark.detection.detector import Detection, Detector
from watermark.detection.null import log10_p_value

__all__ = ["Detection", "Detector", "log10_p_value"]
