from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture
def photos(tmp_path) -> Path:
    """Ten small files in two folders."""
    for number in range(10):
        path = tmp_path / "photos" / ("a" if number < 5 else "b") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (20 * number, 0, 0)).save(path)
    return tmp_path / "photos"
