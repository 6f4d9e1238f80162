"""What a user with a Stable Diffusion folder gets: tiny networks of random weights, but real diffusers classes."""

import json

import numpy as np
import pytest
import torch
from attack_files import CONFIGS
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from attacks.diffusion.latent import DiffusionRegeneration
from attacks.diffusion.schedule import noise_levels, stable_diffusion
from attacks.diffusion.stable_diffusion import LatentDiffusion, load_latent_diffusion

diffusers = pytest.importorskip("diffusers")
PUBLISHED = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


@pytest.fixture(scope="module")
def vae():
    torch.manual_seed(0)
    blocks = {"down_block_types": ["DownEncoderBlock2D"] * 2, "up_block_types": ["UpDecoderBlock2D"] * 2}
    return diffusers.AutoencoderKL(block_out_channels=[8, 8], norm_num_groups=4, latent_channels=4, **blocks).eval()


@pytest.fixture(scope="module")
def unet():
    torch.manual_seed(1)
    kinds = {"down_block_types": ["CrossAttnDownBlock2D"], "up_block_types": ["CrossAttnUpBlock2D"]}
    sizes = {"block_out_channels": [8], "norm_num_groups": 4, "cross_attention_dim": 8, "attention_head_dim": 4}
    return diffusers.UNet2DConditionModel(sample_size=16, layers_per_block=1, **kinds, **sizes).eval()


@pytest.fixture
def model(vae, unet):
    """SD 1.4's own scheduler class and settings."""
    scheduler = diffusers.PNDMScheduler(**PUBLISHED, skip_prk_steps=True, steps_offset=1)
    return LatentDiffusion(vae, unet, scheduler, torch.zeros(1, 2, 8))


def calls_of(model, step, images):
    told = []
    handle = model.unet.register_forward_pre_hook(lambda module, inputs: told.append(int(inputs[1])))
    attacked = DiffusionRegeneration(step, model, posterior="sample")(images)
    handle.remove()
    return told, attacked


@pytest.mark.parametrize(
    ("step", "expected"), [(10, [1]), (20, [1]), (30, [1]), (50, [21, 1]), (60, [41, 21, 1]), (99, [61, 41, 21, 1])]
)
def test_the_network_is_told_the_published_steps_and_no_other(step, expected, model, photos):
    images = photos[:1, :, :32, :40]
    told, attacked = calls_of(model, step, images)
    assert told == expected
    assert attacked.shape == images.shape


@pytest.mark.parametrize("predicts", ["epsilon", "v_prediction"])
def test_latents_come_out_as_diffusers_ddim_makes_them(predicts, vae, unet):
    scheduler = diffusers.DDIMScheduler(
        **PUBLISHED, steps_offset=1, set_alpha_to_one=False, clip_sample=False, prediction_type=predicts
    )
    model = LatentDiffusion(vae, unet, scheduler, torch.zeros(1, 2, 8))
    data = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(2))
    found = DiffusionRegeneration(90, model)._regenerate(data, [torch.Generator().manual_seed(5)])
    scheduler.set_timesteps(50)
    noise = torch.randn(4, 16, 16, generator=torch.Generator().manual_seed(5))[None]
    noisy = scheduler.add_noise(data, noise, torch.tensor([90]))
    with torch.no_grad():
        for told in scheduler.timesteps[-(90 // 20) :]:
            guess = unet(noisy, told, encoder_hidden_states=torch.zeros(1, 2, 8)).sample
            noisy = scheduler.step(guess, told, noisy).prev_sample
    torch.testing.assert_close(found, noisy, rtol=1e-3, atol=1e-4)


def test_the_schedule_is_the_folders_own(vae, unet):
    scheduler = diffusers.DDIMScheduler(beta_schedule="linear", steps_offset=0)
    model = LatentDiffusion(vae, unet, scheduler, torch.zeros(1, 2, 8))
    levels = noise_levels(scheduler.alphas_cumprod.double().numpy())
    np.testing.assert_allclose(model.chain(60).told, levels[[40, 20, 0]])
    assert model.chain(60).end == 0  # set_alpha_to_one is this scheduler's default
    assert not np.allclose(levels, noise_levels(stable_diffusion()))


def test_the_posterior_is_the_encoders_scaled_to_unit_variance(model, photos):
    mean, deviation = model.posterior(photos)
    found = model.vae.encode(photos * 2 - 1).latent_dist
    torch.testing.assert_close(mean, found.mode() * 0.18215)
    torch.testing.assert_close(deviation, found.std * 0.18215)


def test_one_seed_one_result_and_the_batch_does_not_matter(model, photos):
    attack = DiffusionRegeneration(60, model, posterior="sample")
    images = photos[..., :32, :40]
    once, again = (attack(images, [torch.Generator().manual_seed(i) for i in range(3)]) for _ in range(2))
    assert torch.equal(once, again)
    alone = attack(images[1:2], [torch.Generator().manual_seed(1)])
    torch.testing.assert_close(once[1:2], alone, atol=1e-5, rtol=0)


def test_a_model_that_predicts_something_else_is_refused(vae, unet):
    scheduler = diffusers.DDIMScheduler(prediction_type="sample")
    with pytest.raises(ValueError, match="'sample'"):
        LatentDiffusion(vae, unet, scheduler, torch.zeros(1, 2, 8))


@pytest.fixture(scope="module")
def pipeline_folder(vae, unet, tmp_path_factory):
    """What a download of Stable Diffusion 1.4 looks like, a millionth of its size."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("stable-diffusion")
    words = {token: i for i, token in enumerate(["<|startoftext|>", "<|endoftext|>", "a</w>"])}
    (folder / "vocab.json").write_text(json.dumps(words))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=6)
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.CLIPTextConfig(vocab_size=3, max_position_embeddings=6, eos_token_id=1, **sizes)
    scheduler = diffusers.PNDMScheduler(**PUBLISHED, skip_prk_steps=True, steps_offset=1)
    text = {"text_encoder": transformers.CLIPTextModel(config).eval(), "tokenizer": tokenizer}
    unchecked = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    pipeline = diffusers.StableDiffusionPipeline(vae=vae, unet=unet, scheduler=scheduler, **text, **unchecked)
    pipeline.save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_a_folder_given_as_the_page_says_becomes_an_attack_on_its_own_schedule(pipeline_folder, photos):
    override = f"suite.stable_diffusion.build.model.model={pipeline_folder}"
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        added = "+attack/needs_model@suite.stable_diffusion=stable_diffusion"
        entry = compose(overrides=["+suite=smoke", added, override]).suite.stable_diffusion
    assert (entry.build.size, entry.build.posterior) == (512, "sample")
    attack = instantiate(entry.build, size=None)(step=60)  # 512 px is too much for a test's attention layers
    np.testing.assert_allclose(attack.model.abar, stable_diffusion(), rtol=1e-5)
    assert attack.model.prompt.shape == (1, 6, 8)
    images = photos[:1, :, :32, :40]
    assert attack(images).shape == images.shape
    assert torch.equal(attack(images), attack(images))


def test_a_folder_that_is_none_is_named(tmp_path):
    pytest.importorskip("transformers")
    with pytest.raises(FileNotFoundError, match="StableDiffusionPipeline"):
        load_latent_diffusion(str(tmp_path / "nothing"))
