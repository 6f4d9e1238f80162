"""Attacks on images, batched, on any device; knows nothing of watermarks."""
