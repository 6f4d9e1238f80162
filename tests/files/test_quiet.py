"""A damaged file has one line, and it is ours: what decoders written in C print of it stays unsaid."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from watermark import files
from watermark.errors import UserError

PICTURE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def tiff(compression):
    buffer = io.BytesIO()
    Image.fromarray(PICTURE).save(buffer, "TIFF", compression=compression)
    data = bytearray(buffer.getvalue())
    data[20:200] = bytes(255 - byte for byte in data[20:200])
    return bytes(data)


@pytest.mark.skipif(sys.platform == "win32", reason="libtiff is part of Pillow's own library there")
@pytest.mark.parametrize("compression", ["tiff_adobe_deflate", "tiff_lzw", "jpeg"])
def test_libtiff_prints_nothing(tmp_path, capfd, compression):
    path = tmp_path / "damaged.tif"
    path.write_bytes(tiff(compression))
    with pytest.raises(UserError, match=r"damaged\.tif: cannot be read"):
        files.load(path)
    assert capfd.readouterr() == ("", "")


def test_opencv_prints_nothing(tmp_path, capfd):
    cv2 = pytest.importorskip("cv2")
    fine, coded = cv2.imencode(".avif", PICTURE.astype(np.uint16) * 4, [cv2.IMWRITE_AVIF_DEPTH, 10])
    assert fine
    data = bytearray(coded.tobytes())
    data[-1000:] = bytes(255 - byte for byte in data[-1000:])
    path = tmp_path / "damaged.avif"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"damaged\.avif: cannot be read"):
        files.load_any(path)
    assert capfd.readouterr() == ("", "")
