"""Small photographs to attack."""

import pytest
import skimage.data
import torch
import torch.nn.functional as F


@pytest.fixture(scope="session")
def photos() -> torch.Tensor:
    """Three different photographs, ``(3, 3, 72, 96)``; odd in no way."""
    return torch.cat([small_photo(name) for name in ("astronaut", "chelsea", "coffee")])


@pytest.fixture(scope="session")
def photo() -> torch.Tensor:
    """One larger photograph, ``(1, 3, 192, 256)``."""
    return small_photo("coffee", 192, 256)


def small_photo(name: str, height: int = 72, width: int = 96) -> torch.Tensor:
    picture = torch.from_numpy(getattr(skimage.data, name)()).permute(2, 0, 1)[None].float() / 255
    return F.interpolate(picture, (height, width), mode="bilinear", antialias=True).clamp(0, 1)
