"""Payloads in, channel bits out, and back from soft decisions under a key."""

from watermark.codec.codec import Codec, Decoded
from watermark.codec.payload import Layout, Payload

__all__ = ["Codec", "Decoded", "Layout", "Payload"]
