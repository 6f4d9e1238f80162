"""Regeneration by diffusion, of latents and of pixels, with models that a test can look into."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from attacks.contact_sheet import psnr
from attacks.diffusion.latent import DiffusionRegeneration
from attacks.diffusion.models import own_latent_model, pixel_model, taesd_model
from attacks.diffusion.pixel import PixelDiffusion
from attacks.diffusion.priors import PRIORS, Prior
from attacks.diffusion.unet import UNet, load_unet, save_unet
from attacks.regeneration import Regeneration

SHARED = Path(__file__).parents[3] / "shared" / "data"


def seeded(count: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(100 + i) for i in range(count)]


class Pooled:
    """A latent model whose code is the picture at a quarter, and whose denoiser believes in grey."""

    def __init__(self, deviation: float | None = None) -> None:
        self.deviation, self.calls, self.sizes = deviation, [], []

    def posterior(self, images):
        self.sizes.append(tuple(images.shape[-2:]))
        code = images[..., ::4, ::4]
        return code, None if self.deviation is None else torch.full_like(code, self.deviation)

    def decode(self, latents):
        return latents.repeat_interleave(4, -1).repeat_interleave(4, -2)

    def denoise(self, noisy, sigma):
        self.calls.append(round(float(sigma[0]), 4))
        return noisy / (1 + sigma.view(-1, 1, 1, 1) ** 2)


def test_a_rung_calls_the_model_at_the_published_levels_once_per_pass(photos):
    model = Pooled()
    assert DiffusionRegeneration(60, model, passes=2)(photos[:1]).shape == photos[:1].shape
    assert model.calls == [0.2018, 0.1415, 0.0413] * 2


def test_step_zero_is_the_bare_round_trip(photos):
    model = Pooled()
    expected = model.decode(photos[..., ::4, ::4])
    assert torch.equal(DiffusionRegeneration(0, model)(photos), expected)
    assert model.calls == []


def test_at_size_512_the_model_sees_the_published_square_and_the_picture_keeps_its_size(photos):
    model = Pooled()
    assert DiffusionRegeneration(40, model, size=512)(photos[:1]).shape == photos[:1].shape
    assert model.sizes == [(512, 512)]


def test_a_sampled_posterior_differs_from_its_mode_and_a_certain_coder_does_not_care(photo):
    unsure = [DiffusionRegeneration(0, Pooled(0.1), posterior=kind)(photo) for kind in ("mode", "sample")]
    certain = [DiffusionRegeneration(0, Pooled(), posterior=kind)(photo) for kind in ("mode", "sample")]
    assert float((unsure[1] - unsure[0]).std()) == pytest.approx(0.1, rel=0.2)
    assert torch.equal(*certain)


def test_inversion_adds_no_noise(photos):
    attack = DiffusionRegeneration(100, Pooled(), inversion=True)
    assert torch.equal(attack(photos, seeded(3)), attack(photos, seeded(6)[3:]))


@pytest.mark.parametrize("settings", [{"step": 1000}, {"step": -1}, {"step": 5, "passes": 0}])
def test_impossible_latent_settings_are_refused(settings):
    with pytest.raises(ValueError, match="must be"):
        DiffusionRegeneration(model=Pooled(), **settings)
    with pytest.raises(ValueError, match="median"):
        DiffusionRegeneration(5, Pooled(), posterior="median")


@pytest.mark.parametrize("settings", [{"t": 1.5}, {"t": 0.1, "steps": 0}, {"t": 0.1, "passes": 0}])
def test_impossible_pixel_settings_are_refused(settings):
    with pytest.raises(ValueError, match="must be"):
        PixelDiffusion(model=Prior(), **settings)


def test_pixel_diffusion_adds_the_noise_of_its_rung(photos):
    noisy = {}

    def keep(pixels, sigma):
        noisy["std"] = float((pixels - (photos[:1] * 2 - 1)).std())
        return pixels

    PixelDiffusion(0.1, SimpleNamespace(denoise=keep), steps=1)(photos[:1])
    assert noisy["std"] == pytest.approx(2 * 0.17, rel=0.02)


@pytest.mark.parametrize("kind", sorted(PRIORS))
def test_priors_take_noise_off_photographs(kind, photo):
    generator = torch.Generator().manual_seed(0)
    clean = photo * 2 - 1
    for level in (0.1, 0.3):
        noisy = clean + level * torch.randn(clean.shape, generator=generator)
        found = Prior(kind).denoise(noisy, torch.tensor([level]))
        assert psnr(found / 2, clean / 2) > psnr(noisy / 2, clean / 2) + 3


def test_the_shipped_network_denoises_better_than_the_priors(photo):
    clean, level = photo * 2 - 1, torch.tensor([0.2])
    noisy = clean + level * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    found = {name: float(psnr(pixel_model(name).denoise(noisy, level) / 2, clean / 2)) for name in ("main", *PRIORS)}
    assert found["main"] > max(found[name] for name in PRIORS) + 0.5, found


@pytest.mark.parametrize("kind", sorted(PRIORS))
def test_priors_leave_no_noise_at_the_border(kind):
    noise = 0.3 * torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    found = Prior(kind).denoise(noise, torch.tensor([0.3]))
    edge = torch.cat([found[..., :2, :].flatten(), found[..., :, -2:].flatten()])
    assert edge.std() < 1.5 * found[..., 8:-8, 8:-8].std() + 0.02


def test_an_unknown_prior_is_answered_with_those_there_are():
    with pytest.raises(ValueError, match="dct, nonlocal, variation"):
        Prior("bm3d")


def test_a_batch_is_regenerated_as_its_pictures_are(photos):
    torch.manual_seed(0)
    attack = PixelDiffusion(0.1, UNet(3, 8, 2, 1, 2).eval())
    together, alone = attack(photos, seeded(3)), attack(photos[2:], seeded(3)[2:])
    torch.testing.assert_close(together[2:], alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(1, 3, 16, 16), (2, 3, 17, 23)])
def test_the_network_takes_any_size_and_begins_as_the_best_linear_denoiser(size):
    torch.manual_seed(0)
    model = UNet(3, 8, 3, 1, 2, deviation=0.5)
    torch.nn.init.zeros_(model.last.weight)
    torch.nn.init.zeros_(model.last.bias)
    noisy = torch.randn(size)
    found = model.denoise(noisy, torch.full((size[0],), 0.5))
    torch.testing.assert_close(found, noisy / 2)


def test_the_networks_file_gives_the_network_back(tmp_path):
    torch.manual_seed(0)
    model = UNet(4, 8, 2, 1, deviation=0.82)
    save_unet(model, tmp_path / "w.safetensors")
    again = load_unet(tmp_path / "w.safetensors")
    noisy, sigma = torch.randn(2, 4, 12, 12), torch.tensor([0.1, 0.4])
    torch.testing.assert_close(again.denoise(noisy, sigma), model.denoise(noisy, sigma), atol=2e-2, rtol=0)
    assert not any(parameter.requires_grad for parameter in again.parameters())


def test_missing_weights_are_named():
    with pytest.raises(FileNotFoundError, match="nowhere"):
        DiffusionRegeneration(60, "nowhere.safetensors")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        PixelDiffusion(0.1, "nowhere.safetensors")


def left_over(denoise, clean, level):
    """Root mean square of what stays of the noise, relative to it."""
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    found = denoise(clean + level * noise, torch.full((len(clean),), level))
    return float((found - clean).square().mean().sqrt()) / level


@pytest.mark.parametrize(("level", "most"), [(0.25, 0.85), (0.67, 0.6)])
def test_the_shipped_denoiser_takes_noise_off_codes(level, most, photo):
    model = own_latent_model()
    code, _ = model.posterior(photo)
    best_blind = 1 / (1 + level**2) ** 0.5  # scaling alone, for codes of variance 1
    assert left_over(model.denoise, code, level) < most * best_blind


def test_a_rung_costs_more_than_the_bare_trip_and_less_than_its_noise(photo):
    bare, rung = (psnr(photo, DiffusionRegeneration(step)(photo)) for step in (0, 160))
    noise = psnr(photo, Regeneration(0.479)(photo))
    assert noise + 1 < rung < bare


@pytest.mark.weights
def test_in_taesds_codes_our_denoiser_takes_noise_off_too(photo):
    if not (SHARED / "weights").is_dir():
        pytest.skip("no TAESD weights beside the repository")
    model = taesd_model(str(SHARED / "weights"))
    code, _ = model.posterior(photo)
    assert left_over(model.denoise, code, 0.67) < 0.8
    assert DiffusionRegeneration(60, model)(photo).shape == photo.shape


@pytest.mark.parametrize("attack", [DiffusionRegeneration(60), PixelDiffusion(0.1)], ids=["latent", "pixel"])
def test_a_mark_can_train_through_diffusion(attack, photos):
    """The gradient is the slope of the attack itself, noise held."""
    assert attack.differentiable
    images = (0.8 * photos[:1, :, :64, :64] + 0.1).requires_grad_(True)
    weights = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    (slope,) = torch.autograd.grad((attack(images, seeded(1)) * weights).sum(), images)
    way = slope / slope.norm()
    with torch.no_grad():
        ends = [float((attack(images + sign * 0.02 * way, seeded(1)) * weights).sum()) for sign in (1, -1)]
    assert (ends[0] - ends[1]) / 0.04 == pytest.approx(float(slope.norm()), rel=0.1)


@pytest.mark.parametrize("prior", PRIORS)
def test_a_prior_that_is_no_network_gives_no_gradient(prior, photos):
    attack = PixelDiffusion(0.1, prior)
    assert not attack.differentiable
    assert not attack(photos[:1, :, :32, :32].clone().requires_grad_(True), seeded(1)).requires_grad
