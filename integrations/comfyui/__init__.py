"""robust-watermark for ComfyUI: put this folder into ``custom_nodes``; see docs/recipes/comfyui.md."""

from .nodes import DetectWatermark, EmbedWatermark, TraceWatermark

NODE_CLASS_MAPPINGS = {
    "RobustWatermarkEmbed": EmbedWatermark,
    "RobustWatermarkDetect": DetectWatermark,
    "RobustWatermarkTrace": TraceWatermark,
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "RobustWatermarkEmbed": "Watermark: embed",
    "RobustWatermarkDetect": "Watermark: detect",
    "RobustWatermarkTrace": "Watermark: trace",
}
__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
