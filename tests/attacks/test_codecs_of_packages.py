"""Codecs that a package of the user's brings."""

import sys

import pytest
import torch
from attack_files import CONFIGS
from hydra.utils import instantiate
from omegaconf import OmegaConf

from attacks.compression import Jpeg, JpegXl
from attacks.video import VideoFrame


def psnr(first, second):
    return float(-10 * torch.log10((first - second).square().mean()))


@pytest.mark.parametrize("coder", ["h264", "h265", "vp9", "av1"])
def test_a_frame_of_a_clip_is_worse_at_a_higher_factor_and_stays_in_place(coder, photo):
    pytest.importorskip("av")
    odd = photo[..., :-1, :-1]
    config = OmegaConf.load(CONFIGS / "attack/needs_package" / f"video_{coder}.yaml")
    mild, harsh = (instantiate(config.build)(crf=crf) for crf in (config.sweep.crf[0], config.sweep.crf[-1]))
    assert mild(odd).shape == odd.shape
    assert psnr(mild(odd), odd) > psnr(harsh(odd), odd) + 3 > 22
    assert psnr(mild(odd), odd) > psnr(mild(odd).roll(1, -1), odd) + 1
    assert torch.equal(mild(odd), mild(odd))


def test_jpeg_xl_is_ahead_of_jpeg(photo):
    pytest.importorskip("pillow_jxl")
    assert psnr(JpegXl(90)(photo), photo) > psnr(JpegXl(30)(photo), photo) + 3
    assert JpegXl(30)(photo).shape == photo.shape
    assert psnr(JpegXl(90)(photo), photo) > psnr(Jpeg(75)(photo), photo)


def test_what_is_missing_or_out_of_range_is_one_line(monkeypatch):
    with pytest.raises(ValueError, match=r"crf must be in 0\.\.51 for h264, got 60"):
        VideoFrame(60)
    with pytest.raises(ValueError, match="coder must be one of h264, h265, vp9, av1, got 'mjpeg'"):
        VideoFrame(20, "mjpeg")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ValueError, match="expected PyAV"):
        VideoFrame(20)
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    with pytest.raises(ValueError, match="expected pillow-jxl-plugin"):
        JpegXl(50)
