"""A thousand bits in one picture: the layout, the code and a reader that asks colour too."""

import pytest
import skimage.data
import torch

from watermark import Watermarker
from watermark.codec import Payload
from watermark.images import to_8bit
from watermark.schemes.lattice import scheme as lattice

CONTENT = 2**963 + 12345


@pytest.fixture(scope="module")
def marked():
    marker = Watermarker.load("tile_spread", key="k", layout="l1024", message_bits=1798, target_psnr=42, device="cpu")
    photo = torch.from_numpy(skimage.data.astronaut()).permute(2, 0, 1)[None].float() / 255
    return marker, to_8bit(marker.embed(photo, 5, CONTENT))


def test_992_bits_come_back_from_a_quarter_of_a_megapixel(marked):
    marker, picture = marked
    found = marker.detect(picture)[0]
    assert (found.provider_id, found.content_id) == (5, CONTENT)


def test_a_long_message_is_read_in_colour_too(marked, monkeypatch):
    marker, picture = marked
    right = marker.codec.encode([Payload(5, CONTENT)])[0] * 2.0 - 1

    def margin() -> float:
        soft = marker.read(picture).logits[0] * right
        return float(soft.mean() / soft.std())

    both = margin()
    monkeypatch.setattr(lattice, "LONG_MESSAGE", 4096)
    assert both > 1.1 * margin()
