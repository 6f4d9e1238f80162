"""The examples in docstrings run and say what they say."""

import doctest
import importlib
import pkgutil

import pytest

import watermark.metrics

METRICS = [f"watermark.metrics.{one.name}" for one in pkgutil.iter_modules(watermark.metrics.__path__)]
WITHOUT = {
    "watermark.metrics.perceptual",  # needs networks that do not ship
    "watermark.metrics.seen",  # needs packages of an extra
    "watermark.metrics.null_diagnostics",  # pages of a report, explained in docs/report.md
    "watermark.metrics.quality_plane",
}
PUBLIC = [
    "watermark",
    "watermark.codec.payload",
    "watermark.detection.answer",
    "watermark.errors",
    "watermark.keyring",
    "watermark.schemes.base",
    "watermark.watermarker",
    "attacks.base",
]


@pytest.mark.parametrize("name", [*PUBLIC, *(name for name in METRICS if name not in WITHOUT)])
def test_examples_are_there_and_true(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
