"""The measures that go beyond PSNR and SSIM: the numbers of the libraries that define them, and plain refusals."""

import hashlib

import numpy as np
import pytest
import torch
from skimage import data
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import structural_similarity

from watermark.errors import UserError
from watermark.evaluation.rows import PERCEPTUAL
from watermark.metrics import perceptual as module
from watermark.metrics import seen
from watermark.metrics.ciede2000 import ciede2000
from watermark.metrics.ms_ssim import SMALLEST, ms_ssim
from watermark.metrics.perceptual import backbone, fingerprints, perceptual

torchmetrics = pytest.importorskip("torchmetrics", reason="needs the extra perceptual")


def pair(height=210, width=190, noise=0.05):
    generator = torch.Generator().manual_seed(0)
    reference = torch.nn.functional.avg_pool2d(torch.rand(2, 3, height, width, generator=generator), 5, 1, 2)
    return (reference + noise * torch.randn(reference.shape, generator=generator)).clamp(0, 1), reference


@pytest.mark.parametrize("noise", [0.01, 0.3])
def test_ms_ssim_is_built_from_the_ssim_of_scikit_image(noise):
    images, reference = pair(noise=noise)
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    for x, y, value in zip(images.double(), reference.double(), ms_ssim(images, reference), strict=True):
        expected = 1.0
        for weight in (0.0448, 0.2856, 0.3001, 0.2363, 0.1333):
            no_luminance = {} if weight == 0.1333 else {"K1": 1e9}  # its factor is then 1, what is left is the rest
            term = structural_similarity(x.numpy(), y.numpy(), channel_axis=0, **settings, **no_luminance)
            expected *= term**weight
            x, y = (torch.nn.functional.avg_pool2d(p, 2) for p in (x, y))
        assert float(value) == pytest.approx(expected, abs=1e-6)


def test_ms_ssim_of_a_large_picture_is_near_that_of_torchmetrics():
    images, reference = pair(384, 400, 0.1)
    theirs = torchmetrics.functional.image.multiscale_structural_similarity_index_measure
    assert ms_ssim(images, reference).mean() == pytest.approx(
        float(theirs(images, reference, data_range=1.0)), abs=2e-3
    )


def test_ms_ssim_of_a_picture_too_small_for_five_scales_is_not_a_number():
    small = torch.rand(2, 3, SMALLEST - 1, 300)
    assert ms_ssim(small, small).isnan().all()
    just = torch.rand(1, 3, SMALLEST, SMALLEST)
    assert float(ms_ssim(just, just)) == pytest.approx(1)


def test_colour_difference_is_the_mean_of_scikit_image_over_the_whole_picture():
    images, reference = pair(300, 40)
    for x, y, value in zip(
        images.double().numpy(), reference.double().numpy(), ciede2000(images, reference), strict=True
    ):
        labs = (rgb2lab(np.moveaxis(p, 0, -1)) for p in (x, y))
        assert float(value) == pytest.approx(deltaE_ciede2000(*labs).mean(), abs=1e-9)
    assert ciede2000(reference, reference).tolist() == [0, 0]
    with pytest.raises(ValueError, match="one shape"):
        ciede2000(images, reference[..., :20])


def test_a_measure_without_its_network_is_refused_in_one_line_that_names_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name, file in (("lpips", "alexnet-owt-7be5be79.pth"), ("dists", "vgg16-397923af.pth")):
        with pytest.raises(UserError, match=f"{name} needs torchvision's {file} in .*{tmp_path.name}.*nothing is down"):
            perceptual(name, torch.device("cpu"))
    with pytest.raises(UserError, match="expected some of lpips, dists, flip, ssimulacra2, cvvdp, got 'fid'"):
        perceptual("fid", torch.device("cpu"))
    monkeypatch.setattr(module, "find_spec", lambda _name: None)
    assert PERCEPTUAL == module.MEASURES
    with pytest.raises(UserError, match="lpips needs torchmetrics"):
        backbone("lpips")
    monkeypatch.setattr("watermark.metrics.seen.find_spec", lambda _name: None)
    with pytest.raises(UserError, match="cvvdp needs cvvdp: pip install"):
        perceptual("cvvdp", torch.device("cpu"))


@pytest.mark.parametrize(("name", "equal"), [("flip", 0.0), ("ssimulacra2", 100.0), ("cvvdp", 10.0)])
def test_a_model_of_the_eye_sees_what_a_finer_display_hides(name, equal):
    """Noise of one strength: the coarser its grain, the better it is seen, at the same PSNR."""
    pytest.importorskip(seen.MODULES[name], reason="needs the extra perceptual")
    generator = torch.Generator().manual_seed(3)
    reference = torch.from_numpy(data.astronaut()[:96, 100:228].copy()).permute(2, 0, 1)[None] / 255
    fine = 0.02 * torch.randn(1, 1, 96, 128, generator=generator).expand(-1, 3, -1, -1)
    coarse = torch.nn.functional.interpolate(fine[..., ::8, ::8], scale_factor=8)
    coarse = coarse * fine.std() / coarse.std()
    images = torch.cat([reference, (reference + fine).clamp(0, 1), (reference + coarse).clamp(0, 1)])
    measure = perceptual(name, torch.device("cpu"))
    said = measure(images, reference.expand_as(images)).tolist()
    assert said[0] == pytest.approx(equal)
    assert abs(said[0] - said[1]) < abs(said[0] - said[2])
    assert fingerprints([name])[name]["version"]


@pytest.mark.parametrize("name", ["lpips", "dists"])
def test_a_measure_with_a_network_sees_more_damage_in_more_damage(name, tmp_path, monkeypatch):
    """Random weights stand in for the real ones: what is tested is the way in and out, not the published numbers."""
    from torchvision.models import AlexNet, vgg

    checkpoints = tmp_path / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / "alexnet-owt-7be5be79.pth").write_bytes(b"stands in")
    (checkpoints / "vgg16-397923af.pth").write_bytes(b"stands in")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    torch.manual_seed(0)
    deep = torch.nn.Module()
    deep.features = vgg.make_layers(vgg.cfgs["D"])
    monkeypatch.setattr("torchmetrics.functional.image.dists.vgg16", lambda weights: deep)
    monkeypatch.setattr(
        "torchmetrics.functional.image.lpips._get_tv_model_features", lambda net, pretrained: AlexNet().features
    )
    measure = perceptual(name, torch.device("cpu"))
    (slight, reference), (strong, _) = pair(64, 80, 0.02), pair(64, 80, 0.2)
    equal, near, far = (measure(images, reference) for images in (reference, slight, strong))
    assert equal.shape == (2,)
    torch.testing.assert_close(equal, torch.zeros(2, dtype=torch.float64), atol=1e-5, rtol=0)
    assert (near > equal).all()
    assert (far > near).all()
    assert fingerprints([name])[name]["sha256"] == hashlib.sha256(b"stands in").hexdigest()
