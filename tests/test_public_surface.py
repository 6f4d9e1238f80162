"""What ``import watermark`` offers, and what marking and reading do not drag along."""

import subprocess
import sys

import pytest

import watermark

HEAVY = ("hydra", "pandas", "pyarrow", "sqlalchemy", "jinja2", "rich", "cv2", "skimage", "torchvision", "attacks")


@pytest.mark.parametrize("name", watermark.__all__)
def test_every_public_name_is_there_and_listed(name):
    assert getattr(watermark, name) is not None
    assert name in dir(watermark)


def test_a_name_that_is_none_is_refused():
    with pytest.raises(AttributeError, match="'watermark' has no attribute 'Watermaker'"):
        watermark.Watermaker  # noqa: B018 - the access is the test


def modules_after(code):
    printed = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in printed.stdout.splitlines()[-1].split()}


def test_the_package_itself_imports_nothing_heavy():
    assert not {"torch", "numpy", "omegaconf", *HEAVY} & modules_after("import watermark; dir(watermark)")


def test_embedding_and_detecting_import_nothing_that_only_a_report_or_a_run_needs(tmp_path):
    """In Python and on the command line: docs/install.md lists what a machine that only marks can do without."""
    code = f"""
import numpy
import sys
from PIL import Image
from watermark import Watermarker
for scheme in ("dwt_dct", "tile_spread", "learned"):
    marker = Watermarker.load(scheme, key="a secret")
    picture = numpy.random.default_rng(0).integers(0, 256, (128, 160, 3), dtype=numpy.uint8)
    marker.detect(marker.embed(picture, provider_id=1, content_id=2))
assert not {{"rich", "cv2", "scipy.ndimage", "scipy.sparse"}} & {{*sys.modules}}  # maps alone need the last two
from watermark.cli import main
Image.fromarray(picture[:16, :20]).resize((320, 256)).save("{tmp_path}/in.jpg")
assert main(["embed", "{tmp_path}/in.jpg", "{tmp_path}/out.jpg", "--provider", "1"]) == 0
assert main(["detect", "{tmp_path}/out.jpg"]) == 0
"""
    loaded = modules_after(code)
    assert "torch" in loaded
    assert not ({*HEAVY, "alembic", "pywt"} - {"rich", "cv2"}) & loaded
