"""Large pictures: the same mark in bounded memory."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from watermark import Watermarker, strips
from watermark.metrics.psnr import psnr
from watermark.pixels import to_tensor


@pytest.fixture(scope="module")
def marker():
    return Watermarker.load("tile_spread", key="k", device="cpu")


@pytest.fixture
def small_working_area(monkeypatch, marker):
    monkeypatch.setattr(type(marker.scheme), "working_area", 150_000)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA"])
def test_a_large_picture_is_marked_at_the_target_and_found(marker, small_working_area, mode):
    picture = Image.fromarray(data.chelsea()).resize((903, 602)).convert(mode)
    if "A" in mode:
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    assert strips.is_large(marker.scheme, *picture.size)
    marked = marker.embed(picture, 7, 123)
    assert (marked.mode, marked.size) == (mode, picture.size)
    if "A" in mode:
        assert marked.getchannel("A").tobytes() == picture.getchannel("A").tobytes()
    assert float(psnr(to_tensor(marked), to_tensor(picture))) == pytest.approx(45, abs=0.1)
    for copy in (marked, marked.resize((640, 427)), marked.rotate(4)):
        found = marker.detect(copy)
        assert (found.provider_id, found.content_id) == (7, 123)


@pytest.mark.parametrize("name", ["dwt_dct", "dwt_dct_svd"])
def test_schemes_of_a_frame_are_marked_in_strips_too(monkeypatch, name):
    marker = Watermarker.load(name, key="k", device="cpu")
    monkeypatch.setattr(type(marker.scheme), "working_area", 300_000)
    picture = Image.fromarray(data.chelsea()).resize((1203, 802))
    marked = marker.embed(picture, 7, 123)
    assert float(psnr(to_tensor(marked), to_tensor(picture))) == pytest.approx(42, abs=0.1)
    monkeypatch.undo()
    assert marker.detect(marked).content_id == 123  # at full size too
    assert marker.detect(marked.resize((600, 400))).content_id == 123


def test_a_strip_of_the_enlarged_change_is_that_strip_of_the_whole():
    change = torch.randn(1, 3, 40, 60, generator=torch.Generator().manual_seed(0))
    wide = torch.nn.functional.interpolate(change, (40, 150), mode="bicubic")
    assert torch.allclose(strips._widened(change, 150), wide, atol=1e-4)  # OpenCV weighs in float32
    whole = torch.nn.functional.interpolate(change, (100, 150), mode="bicubic")
    for first in range(0, 100, 32):
        rows = torch.arange(first, min(first + 32, 100))
        assert torch.allclose(strips._enlarged(wide, rows, 100), whole[:, :, first : first + 32], atol=1e-5)


def test_the_change_holds_no_step_at_the_borders_of_strips(marker, small_working_area):
    picture = Image.fromarray(np.full((700, 900, 3), 128, np.uint8))
    change = np.asarray(marker.embed(picture, 1, 2)).astype(int) - 128
    steps = np.abs(np.diff(change, axis=0)).mean((1, 2))
    borders = np.arange(strips.ROWS - 1, 699, strips.ROWS)
    assert steps[borders].mean() < 1.3 * np.delete(steps, borders).mean()


PROGRAM = """
import resource, sys, torch
torch.set_num_threads(1)
from pathlib import Path
from PIL import Image
from skimage import data
from watermark import Watermarker
from watermark.mark_file import mark_file
folder = Path(sys.argv[1])
Image.fromarray(data.chelsea()).resize((6000, 4000)).save(folder / "in.jpg", quality=90)
marker = Watermarker.load("tile_spread", key="k", device="cpu")
marker.detect(Image.fromarray(data.chelsea()))
before = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
mark_file(marker, folder / "in.jpg", folder / "out.jpg", 1, 2, preflight="none")
used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) // 1024, used - before)  # ru_maxrss counts the process that started this one too
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_24_megapixels_stay_within_2_gb_and_are_read_back(tmp_path):
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=True)
    peak, seconds = map(float, done.stdout.split())
    assert peak < 2_000  # MiB
    assert seconds < 12  # CPU s; 4 on a quiet machine, and no test hangs on how busy it is
