"""Measurements behind the identity layer: ``python -m watermark.identity.studies.<name> --images DIR --output DIR``."""
