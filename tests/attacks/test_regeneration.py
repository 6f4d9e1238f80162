"""Networks that repaint the picture: ours as shipped, others' through their wrappers."""

import socket
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from attack_files import CONFIGS
from hydra import compose, initialize_config_dir
from PIL import Image

from attacks import pretrained
from attacks.autoencoder import Autoencoder, load_autoencoder
from attacks.functional.codec import from_pillow
from attacks.pretrained import DiffusersVae, LearnedCodec, fetch, load_taesd
from attacks.regeneration import Regeneration, own_coder
from attacks.training.autoencoder import load_recipe, main, save_weights

SHARED = Path(__file__).parents[3] / "shared" / "data"


def psnr(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(-10 * torch.log10((first - second).square().mean()))


@pytest.mark.parametrize("model", ["main", "heldout"])
def test_shipped_autoencoders_repaint_recognisably_and_not_exactly(photo, model):
    assert 22 < psnr(Regeneration(0, model)(photo), photo) < 40


def test_code_has_unit_variance_so_that_noise_means_the_same_everywhere(photo):
    code = own_coder("main").encode(photo)
    assert code.shape == (1, 8, 24, 32)
    assert 0.5 < code.std() < 2


def test_noise_and_passes_make_it_worse(photo):
    quality = [psnr(Regeneration(noise)(photo), photo) for noise in (0, 0.2, 0.4)]
    assert quality == sorted(quality, reverse=True)
    assert psnr(Regeneration(0, passes=2)(photo), photo) < quality[0]


def test_any_size_comes_back_at_its_size():
    images = torch.rand(1, 3, 50, 77, generator=torch.Generator().manual_seed(1))
    assert Regeneration(0)(images).shape == images.shape


def test_missing_weights_are_named():
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Regeneration(0, "nowhere.safetensors")


def test_training_command_learns_stops_and_resumes(tmp_path, monkeypatch):
    recipe = load_recipe("main")
    small = recipe.__class__(8, 4, 1, 6, 2, 32, 1e-3, 0.1)
    monkeypatch.setattr("attacks.training.autoencoder.load_recipe", lambda name: small)
    for index in range(3):
        colour = tuple(60 * index + 20 * channel for channel in range(3))
        Image.new("RGB", (48, 40), colour).save(tmp_path / f"{index}.png")
    out = tmp_path / "made" / "weights.safetensors"
    arguments = ["main", "--images", str(tmp_path), "--validate", str(tmp_path), "--out", str(out)]
    main(arguments)
    first = load_autoencoder(out)
    main(arguments)  # nothing is left to do, and nothing changes
    assert torch.equal(first.decoder[0].weight, load_autoencoder(out).decoder[0].weight)
    assert torch.load(out.with_suffix(".checkpoint.pt"), weights_only=True)["step"] == 6


def test_weights_survive_the_file(tmp_path, photo):
    torch.manual_seed(0)
    model = Autoencoder(8, 4).eval()
    save_weights(model, tmp_path / "w.safetensors")
    again = load_autoencoder(tmp_path / "w.safetensors")
    assert torch.allclose(model(photo), again(photo), atol=1e-2)  # float16 on disk
    assert not any(parameter.requires_grad for parameter in again.parameters())


@pytest.mark.weights
@pytest.mark.parametrize(("name", "expected"), [("taesd", 24.6), ("taef1", 27.8)])
def test_taesd_weights_of_a_local_folder_repaint_as_published(name, expected):
    if not (SHARED / "weights").is_dir() or not (SHARED / "kodak").is_dir():
        pytest.skip("no TAESD weights beside the repository")
    with Image.open(SHARED / "kodak" / "kodim04.png") as picture:
        images = from_pillow([picture.convert("RGB").crop((128, 128, 384, 384))], torch.zeros(1))
    attack = Regeneration(0, load_taesd(str(SHARED / "weights"), name))
    assert psnr(attack(images), images) == pytest.approx(expected, abs=4)


def test_taesd_names_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="taesd_encoder"):
        load_taesd(str(tmp_path))


def test_learned_codec_rounds_its_code(photo):
    halves = SimpleNamespace(g_a=lambda images: images * 4, g_s=lambda latents: latents / 4)
    coder = LearnedCodec(torch.nn.Identity())
    coder.model = torch.nn.Module()
    coder.model.g_a, coder.model.g_s = halves.g_a, halves.g_s
    repainted = Regeneration(0, coder)(photo)
    assert torch.allclose(repainted * 4, (repainted * 4).round(), atol=1e-5)
    assert repainted.shape == photo.shape


@pytest.fixture(scope="module")
def tiny_vae():
    diffusers = pytest.importorskip("diffusers")
    torch.manual_seed(0)
    blocks = {"down_block_types": ["DownEncoderBlock2D"] * 2, "up_block_types": ["UpDecoderBlock2D"] * 2}
    return diffusers.AutoencoderKL(block_out_channels=[8, 8], norm_num_groups=4, latent_channels=4, **blocks).eval()


@pytest.mark.slow
def test_diffusers_autoencoder_serves_as_a_coder(photos, tiny_vae):
    attack = Regeneration(0.1, DiffusersVae(tiny_vae))
    assert attack(photos[..., :61, :90]).shape == (3, 3, 61, 90)


def test_a_missing_library_is_named(monkeypatch):
    with pytest.raises(ImportError, match="pip install"):
        pretrained.library("no_such_library_anywhere")


def test_a_missing_model_says_what_was_expected(tmp_path):
    with pytest.raises(FileNotFoundError, match="found no file"):
        pretrained.load_learned_codec(weights=str(tmp_path / "none.pt"))

    class Absent:
        @staticmethod
        def from_pretrained(model, **settings):
            raise OSError("six lines about a hub")

    with pytest.raises(FileNotFoundError, match="expected a folder with a diffusers Absent"):
        pretrained.fetch(Absent, str(tmp_path))


@pytest.mark.parametrize("name", ["taesd", "vae", "stable_diffusion", "diffusion_taesd", "learned_codec", "surrogate"])
def test_the_line_in_each_file_that_needs_a_model_is_one_that_works(name):
    """The override that the file's comment tells a user to type composes, and sets the folder."""
    text = (CONFIGS / "attack" / "needs_model" / f"{name}.yaml").read_text()
    line = next(line for line in text.splitlines() if "+attack/needs_model" in line)
    override, value = line[line.index("+attack") :].split()
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        composed = compose(overrides=["+suite=smoke", override, value])
    entry = composed.suite[override.split("suite.")[1].split("=")[0]]
    needed = entry.build.score if name == "surrogate" else entry.build.model
    assert value.split("=")[1] in needed.values()


@pytest.mark.parametrize(
    ("found", "proxies", "asked"),
    [(False, {}, False), (True, {}, True), (False, {"https": "http://proxy:3128"}, True)],
)
def test_a_hub_that_cannot_be_found_is_not_asked_again_and_again(monkeypatch, found, proxies, asked):
    class Kind:
        @staticmethod
        def from_pretrained(_model, **settings):
            return settings

    def look_up(*_):
        if not found:
            raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(pretrained, "getproxies", lambda: proxies)
    settings = fetch(Kind, "somebody/a-model", subfolder="vae")
    assert settings["subfolder"] == "vae"
    assert settings.get("local_files_only", False) is not asked
