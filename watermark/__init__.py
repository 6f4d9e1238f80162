"""Robust invisible watermarks: embed provider and content IDs, detect them, and measure what survives."""
