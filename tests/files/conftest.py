import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def picture():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:80, 0:120]
    smooth = np.stack([127 + 60 * np.sin(x / 9 + c) + 50 * np.cos(y / (5 + c)) for c in range(3)], -1)
    return Image.fromarray((smooth + rng.normal(0, 4, smooth.shape)).clip(0, 255).astype(np.uint8))
