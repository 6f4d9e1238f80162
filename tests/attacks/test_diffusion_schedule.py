"""The noise levels of the diffusion attacks are the published ones, and the sampler is DDIM and DDPM."""

import math

import numpy as np
import pytest
import torch

from attacks.diffusion import sampler
from attacks.diffusion.schedule import (
    NoiseChain,
    guided_diffusion,
    last_steps,
    latent_chain,
    noise_levels,
    pixel_chain,
    stable_diffusion,
    variance_preserving,
)


def seeded(count: int = 1) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(7 + i) for i in range(count)]


@pytest.mark.parametrize(
    ("step", "ratio", "signal", "calls"),
    [  # noise over signal in Stable Diffusion's latents, sqrt(abar), U-Net calls: computed from the published betas
        (20, 0.138, 0.991, 1),
        (30, 0.170, 0.986, 1),
        (40, 0.199, 0.981, 2),
        (50, 0.225, 0.976, 2),
        (60, 0.251, 0.970, 3),
        (80, 0.298, 0.958, 4),
        (100, 0.344, 0.946, 5),
        (120, 0.389, 0.932, 6),
        (140, 0.434, 0.918, 7),
        (160, 0.479, 0.902, 8),
        (200, 0.572, 0.868, 10),
        (240, 0.670, 0.831, 12),
        (300, 0.833, 0.768, 15),
        (500, 1.62, 0.526, 25),
    ],
)
def test_latent_rungs_have_the_published_noise_and_the_published_number_of_calls(step, ratio, signal, calls):
    chain = latent_chain(step)
    assert chain.noise / chain.signal == pytest.approx(ratio, rel=5e-3)
    assert math.sqrt(stable_diffusion()[step]) == pytest.approx(signal, abs=6e-4)
    assert len(chain.told) == calls
    assert list(chain.told) == sorted(chain.told, reverse=True)


def test_the_last_scheduler_steps_are_those_of_diffusers():
    diffusers = pytest.importorskip("diffusers")
    published = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
    for kind, more in ((diffusers.DDIMScheduler, {}), (diffusers.PNDMScheduler, {"skip_prk_steps": True})):
        scheduler = kind(**published, **more)
        scheduler.set_timesteps(50)
        np.testing.assert_allclose(scheduler.alphas_cumprod.double().numpy(), stable_diffusion(), rtol=1e-5)
        for step in (1, 10, 19, 20, 30, 50, 60, 150, 240):
            assert last_steps(step) == scheduler.timesteps[-max(step // 20, 1) :].tolist()


@pytest.mark.parametrize(
    ("t", "deviation"), [(0.05, 0.087), (0.075, 0.128), (0.1, 0.170), (0.15, 0.260), (0.2, 0.360), (0.3, 0.617)]
)
def test_pixel_rungs_have_diffpures_noise(t, deviation):
    abar = variance_preserving(t)
    assert math.sqrt((1 - abar) / abar) / 2 == pytest.approx(deviation, abs=6e-4)  # on [0, 1]
    assert pixel_chain(t).noise / 2 == pytest.approx(deviation, rel=0.01)  # the discrete schedule it comes from
    assert pixel_chain(t, 3).noise == pixel_chain(t).noise


def test_without_a_number_of_steps_every_training_step_is_taken_as_published():
    chain = pixel_chain(0.2)
    np.testing.assert_allclose(chain.told, noise_levels(guided_diffusion())[199::-1])
    assert len(pixel_chain(0.2, 5).told) == 5
    assert chain.end == 0


def test_impossible_rungs_are_refused_with_what_was_given():
    for wrong in (0, 1000):
        with pytest.raises(ValueError, match=str(wrong)):
            latent_chain(wrong)
    with pytest.raises(ValueError, match="2"):
        pixel_chain(2.0)


def gaussian(deviation: float):
    """The exact denoiser of normal data."""
    return lambda noisy, sigma: noisy * deviation**2 / (deviation**2 + sigma.view(-1, 1, 1, 1) ** 2)


def test_the_way_down_is_diffusers_ddim_to_the_last_bits():
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        steps_offset=1,
        set_alpha_to_one=False,
        clip_sample=False,
    )
    scheduler.set_timesteps(50)
    data = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    ours = sampler.regenerate(gaussian(0.8), data, latent_chain(130), seeded())
    noise = torch.randn(4, 8, 8, generator=seeded()[0])[None]
    noisy = scheduler.add_noise(data, noise, torch.tensor([130]))
    for told in scheduler.timesteps[-(130 // 20) :]:
        abar = scheduler.alphas_cumprod[told]
        level = ((1 - abar) / abar).sqrt()
        clean = gaussian(0.8)(noisy / abar.sqrt(), level[None])
        guess = (noisy - abar.sqrt() * clean) / (1 - abar).sqrt()
        noisy = scheduler.step(guess, told, noisy).prev_sample
    torch.testing.assert_close(ours, noisy, rtol=1e-4, atol=1e-5)


def test_ancestral_steps_keep_the_data_distribution_and_ddim_keeps_the_data_nearer():
    """With the exact denoiser a regenerated sample is distributed as the data, for DDPM whatever the last step."""
    data = 0.8 * torch.randn(1, 1, 256, 256, generator=torch.Generator().manual_seed(3))
    chain = pixel_chain(0.2)
    drawn = sampler.regenerate(gaussian(0.8), data, chain, seeded(), ancestral=True)
    plain = sampler.regenerate(gaussian(0.8), data, chain, seeded())
    assert float(drawn.std()) == pytest.approx(0.8, rel=0.03)
    assert float(plain.std()) == pytest.approx(0.8, rel=0.03)
    assert not torch.allclose(drawn, plain, atol=0.1)


def test_inversion_leads_back_to_the_data_without_any_noise():
    data = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(3))
    back = sampler.round_trip(gaussian(1.0), data, latent_chain(400), seeded())
    noised = sampler.regenerate(gaussian(1.0), data, latent_chain(400), seeded())
    assert (back - data).abs().mean() < 0.1 * (noised - data).abs().mean()


def test_a_chain_of_one_step_is_one_call_of_the_denoiser():
    calls = []

    def denoise(noisy, sigma):
        calls.append(sigma.tolist())
        return noisy * 0

    out = sampler.regenerate(denoise, torch.ones(2, 1, 4, 4), NoiseChain(1.0, 0.5, (0.5,)), seeded(2))
    assert calls == [[0.5, 0.5]]
    assert not out.any()
