"""The map over its picture: told apart by who sees no red and green, and by who sees no colour."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from skimage import data

from watermark.detection import Detection
from watermark.localization import Localization
from watermark.localization.drawing import drawn, overview

DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
"""Of linear RGB; Machado, Oliveira and Fernandes, 2009, severity 1."""
PICTURE = Image.fromarray(data.coffee()[100:300, 100:340])  # a red saucer on brown wood


@pytest.fixture(scope="module")
def parts():
    """Left marked, middle edited, right unknown, and the map."""
    thirds = np.zeros((3, 200, 240), dtype=bool)
    for i in range(3):
        thirds[i, :, 80 * i : 80 * i + 80] = True
    where = Localization.nowhere((200, 240), 0.01, Detection(True, -9.0))
    where = replace(where, marked=thirds[0], edited=thirds[1], unknown=thirds[2])
    seen = np.asarray(drawn(PICTURE, where)) / 255
    return thirds, seen


def as_seen(colours):
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    return (linear @ DEUTERANOPIA.T).clip(0, 1)


def test_the_three_parts_differ_for_who_sees_no_red_and_green(parts):
    thirds, seen = parts
    blue = [as_seen(seen[part])[:, 2] - as_seen(seen[part])[:, 0] for part in thirds]
    assert np.quantile(blue[0], 0.05) > np.quantile(
        blue[1], 0.95
    )  # bluish against yellowish, whatever the picture shows


def test_what_was_edited_is_striped(parts):
    _, seen = parts
    steps = [np.abs(np.diff(seen[:, 80 * i + 5 : 80 * i + 75, 0], axis=0)).mean() for i in range(3)]
    assert steps[1] > 2 * steps[2]  # 1 and 2 hide the same share of the picture


def test_an_overview_is_the_same_map_made_smaller(parts):
    thirds, _ = parts
    other = replace(Localization.nowhere((200, 240), 0.01, Detection(True, -9.0)), marked=thirds[2])
    where = replace(other, marked=thirds[0], edited=thirds[1], unknown=thirds[2], others=(other,))
    small = overview(PICTURE, where, 100)
    assert small.size == (80, 67)
    whole = drawn(PICTURE, where).resize(small.size)
    differ = np.abs(np.asarray(small, dtype=float) - np.asarray(whole)).mean(axis=(0, 2))
    assert max(differ[:25].max(), differ[55:].max()) < 3  # marked, and another mark; edited has other stripes
