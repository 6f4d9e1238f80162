import numpy as np
import pytest
from PIL import Image

from watermark.labels import AigcLabel

FAKE_CODE = "0011" + "0" * 18 + "10001"  # 18 zeros name nobody


@pytest.fixture
def picture():
    y, x = np.mgrid[0:96, 0:128]
    channels = [127 + 60 * np.sin(x / 9 + c) + 50 * np.cos(y / (5 + c)) for c in range(3)]
    return Image.fromarray(np.stack(channels, -1).astype(np.uint8))


@pytest.fixture
def label():
    return AigcLabel.first("1", FAKE_CODE, "P-000001")
