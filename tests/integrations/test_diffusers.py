"""Every output of a pipeline is marked, whatever its kind."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from watermark import Watermarker

diffusers = pytest.importorskip("diffusers", reason="needs the extra regeneration")
sys.path.insert(0, str(Path(__file__).parents[2] / "integrations" / "diffusers"))
from marked_pipeline import marked  # noqa: E402


@pytest.fixture(scope="module")
def pipeline():
    """A real pipeline of diffusers with a tiny network of random weights."""
    unet = diffusers.UNet2DModel(
        sample_size=128,
        block_out_channels=(8, 8),
        norm_num_groups=4,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
    )
    tiny = diffusers.DDIMPipeline(unet=unet, scheduler=diffusers.DDIMScheduler())
    tiny.set_progress_bar_config(disable=True)
    step = tiny.scheduler.step

    def calm(*words, **settings):
        """What random weights leave is white noise, in which no mark is faint enough; pictures are smoother."""
        output = step(*words, **settings)
        coarse = F.interpolate(F.avg_pool2d(output.prev_sample, 16), scale_factor=16, mode="bicubic")
        output.prev_sample = 4 * coarse + 0.05 * output.prev_sample
        return output

    tiny.scheduler.step = calm
    return tiny


@pytest.fixture(scope="module")
def marker():
    return Watermarker.load("tile_spread", key="a secret", target_psnr=38, effort=0)


def run(pipeline, **settings):
    return pipeline(batch_size=2, num_inference_steps=1, generator=torch.Generator().manual_seed(0), **settings)


def test_every_picture_has_its_own_id(pipeline, marker):
    output = run(marked(pipeline, marker, provider_id=7))
    found = marker.detect(list(output.images))
    assert [one.content_id for one in found] == output.content_ids
    assert {one.provider_id for one in found} == {7}
    assert len(set(output.content_ids)) == 2
    assert not marker.detect(run(pipeline).images[0]).is_marked


def test_arrays_and_tuples_come_back_as_such(pipeline, marker):
    numbers = iter((5, 6))
    images, ids = run(marked(pipeline, marker, 7, lambda: next(numbers)), output_type="np", return_dict=False)
    assert images.shape == (2, 128, 128, 3)
    assert ids == [5, 6]
    found = [marker.detect((one * 255).round().astype(np.uint8)) for one in images]
    assert [one.content_id for one in found] == [5, 6]


def test_latents_are_refused_and_the_rest_is_the_pipelines(pipeline, marker):
    wrapped = marked(pipeline, marker, 7)
    with pytest.raises(ValueError, match='got "latent"'):
        wrapped(output_type="latent")
    assert wrapped.unet is pipeline.unet
    assert wrapped.to("cpu") is wrapped
