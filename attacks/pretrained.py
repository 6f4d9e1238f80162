"""Other people's image coders behind one interface, for ``Regeneration(model=...)``.

``load_taesd`` reads a local folder and needs only torch; the others import their library when they are called
(``pip install robust-watermark[regeneration]``) and take a folder, or a name that the library itself may download.
"""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn


class TinyAutoencoder(nn.Module):
    """The TAESD family (Ollin Boer Bohan, MIT): 8x smaller codes of 4 or 16 channels, float32."""

    def __init__(self, latent: int = 4) -> None:
        super().__init__()
        down = [layer for _ in range(3) for layer in (_conv(64, 64, stride=2, bias=False), *_blocks(3))]
        self.encoder = nn.Sequential(_conv(3, 64), *_blocks(1), *down, _conv(64, latent))
        up = [layer for _ in range(3) for layer in (*_blocks(3), nn.Upsample(None, 2), _conv(64, 64, bias=False))]
        self.decoder = nn.Sequential(_SoftClamp(), _conv(latent, 64), nn.ReLU(), *up, *_blocks(1), _conv(64, 3))

    def encode(self, images: Tensor) -> Tensor:
        """``(N, 3, H, W)`` in [0, 1] to its code; sides are padded to multiples of 8."""
        return self.encoder(_pad(images, 8))

    def decode(self, latents: Tensor) -> Tensor:
        """A code to pictures of eight times its size; not clamped."""
        return self.decoder(latents)


class _SoftClamp(nn.Module):
    def forward(self, latents: Tensor) -> Tensor:
        return torch.tanh(latents / 3) * 3


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        layers = [_conv(channels, channels), nn.ReLU(), _conv(channels, channels), nn.ReLU(), _conv(channels, channels)]
        self.conv = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        return torch.relu(self.conv(features) + features)


def _conv(inputs: int, outputs: int, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=bias)


def _blocks(count: int) -> list[nn.Module]:
    return [_Block(64) for _ in range(count)]


def _pad(images: Tensor, multiple: int) -> Tensor:
    height, width = images.shape[-2:]
    return F.pad(images, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def load_taesd(folder: str, name: str = "taesd") -> TinyAutoencoder:
    """Read ``NAME_encoder.safetensors`` and ``NAME_decoder.safetensors`` from a folder.

    Args:
        folder: where the files lie.
        name: ``taesd``, ``taesdxl`` or ``taef1``.

    Raises:
        FileNotFoundError: if one of the two is missing.
    """
    paths = [Path(folder) / f"{name}_{part}.safetensors" for part in ("encoder", "decoder")]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise FileNotFoundError(f"expected TAESD weights, found no {' and no '.join(missing)}")
    encoder, decoder = ({key: value.float() for key, value in load_file(path).items()} for path in paths)
    model = TinyAutoencoder(latent=decoder["1.weight"].shape[1])
    model.encoder.load_state_dict(encoder)
    model.decoder.load_state_dict(decoder)
    return model.eval().requires_grad_(False)


class DiffusersVae(nn.Module):
    """A diffusers auto-encoder (``AutoencoderKL`` of SD, SDXL, FLUX; ``AutoencoderTiny``) as an image coder.

    Codes are the posterior's mode, shifted and scaled as the model's own configuration says (about unit variance).
    """

    def __init__(self, vae: nn.Module) -> None:
        super().__init__()
        self.vae = vae
        facts = vae.config
        self.scale = float(getattr(facts, "scaling_factor", None) or 1.0)
        self.shift = float(getattr(facts, "shift_factor", None) or 0.0)
        self.multiple = 2 ** (len(facts.block_out_channels) - 1)  # type: ignore[union-attr,arg-type]

    def encode(self, images: Tensor) -> Tensor:
        """``(N, 3, H, W)`` in [0, 1] to a code."""
        found = self.vae.encode(_pad(images, self.multiple) * 2 - 1)  # type: ignore[operator]
        latents = found.latent_dist.mode() if hasattr(found, "latent_dist") else found.latents
        return (latents - self.shift) * self.scale

    def decode(self, latents: Tensor) -> Tensor:
        """A code to pictures; not clamped."""
        return self.vae.decode(latents / self.scale + self.shift).sample / 2 + 0.5  # type: ignore[operator]


def load_vae(model: str, subfolder: str | None = None, kind: str = "AutoencoderKL") -> DiffusersVae:
    """A diffusers auto-encoder from a local folder, or from the hub by name if the network allows.

    Args:
        model: folder or hub name.
        subfolder: usually ``vae`` inside a whole pipeline.
        kind: class of diffusers: ``AutoencoderKL`` or ``AutoencoderTiny``.

    Raises:
        ImportError: without diffusers, saying what to install.
        FileNotFoundError: if the model is neither here nor to be had.
    """
    vae = _fetch(getattr(_library("diffusers"), kind), model, subfolder=subfolder)
    return DiffusersVae(vae.eval().requires_grad_(False))


class LatentDiffusion(DiffusersVae):
    """A diffusers auto-encoder, U-Net and noise schedule for ``DiffusionRegeneration``; no text guides it.

    Args:
        vae: auto-encoder.
        unet: ``UNet2DConditionModel``.
        schedule: any diffusers scheduler with ``add_noise``; DDIM is what the published attacks use.
        prompt: embedding of the empty prompt ``(1, tokens, features)``.
        spacing: training steps per denoising step; 20 makes 50 steps of 1000.
    """

    def __init__(self, vae: nn.Module, unet: nn.Module, schedule: object, prompt: Tensor, spacing: int = 20) -> None:
        super().__init__(vae)
        self.unet, self.schedule, self.spacing = unet, schedule, spacing
        self.register_buffer("prompt", prompt)

    @torch.no_grad()
    def diffuse(self, latents: Tensor, noise: Tensor, step: int) -> Tensor:
        """Noise to training step ``step``, then denoise every ``spacing`` steps down to 0."""
        schedule = self.schedule
        schedule.set_timesteps(1000 // self.spacing)  # type: ignore[attr-defined]
        steps = [int(t) for t in schedule.timesteps if int(t) <= step] or [int(schedule.timesteps[-1])]  # type: ignore[attr-defined]
        at = torch.tensor([step] * len(latents), device=latents.device)
        noisy = schedule.add_noise(latents, noise, at)  # type: ignore[attr-defined]
        prompt = self.prompt.expand(len(latents), -1, -1)  # type: ignore[operator]
        for t in steps:
            guess = self.unet(noisy, t, encoder_hidden_states=prompt).sample
            noisy = schedule.step(guess, t, noisy).prev_sample  # type: ignore[attr-defined]
        return noisy


def load_latent_diffusion(model: str) -> LatentDiffusion:
    """Stable Diffusion 1.x or 2.x from a local folder, or from the hub by name; needs transformers for the text.

    Raises:
        ImportError: without diffusers or transformers, saying what to install.
        FileNotFoundError: if the model is neither here nor to be had.
    """
    _library("transformers")
    pipeline = _fetch(_library("diffusers").StableDiffusionPipeline, model, safety_checker=None)
    prompt = pipeline.encode_prompt("", "cpu", 1, False)[0]
    schedule = _library("diffusers").DDIMScheduler.from_config(pipeline.scheduler.config)
    vae, unet = pipeline.vae.eval().requires_grad_(False), pipeline.unet.eval().requires_grad_(False)
    return LatentDiffusion(vae, unet, schedule, prompt.detach())


class LearnedCodec(nn.Module):
    """A CompressAI model as an image coder: its latent, rounded as the entropy coder would, and its synthesis."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def encode(self, images: Tensor) -> Tensor:
        """``(N, 3, H, W)`` in [0, 1] to the analysis transform's output; sides are padded to multiples of 64."""
        return self.model.g_a(_pad(images, 64))  # type: ignore[operator]

    def decode(self, latents: Tensor) -> Tensor:
        """Round, then synthesise; not clamped."""
        return self.model.g_s(latents.round())  # type: ignore[operator]


def load_learned_codec(
    name: str = "bmshj2018_factorized", quality: int = 3, weights: str | None = None
) -> LearnedCodec:
    """A CompressAI model by name and quality (1 worst to 8), as in WAVES' Regen-VAE.

    Args:
        name: a function of ``compressai.zoo``.
        quality: of that model.
        weights: a local state dict; without one CompressAI fetches its own, if the network allows.

    Raises:
        ImportError: without CompressAI, saying what to install.
        FileNotFoundError: if ``weights`` is no file, or the model's own cannot be fetched.
    """
    if weights is not None and not Path(weights).is_file():
        raise FileNotFoundError(f"expected a state dict of CompressAI's {name} at {weights}, found no file")
    build = getattr(_library("compressai.zoo", "learned-codec"), name)
    try:
        model = build(quality=quality, pretrained=weights is None)
    except OSError as error:
        raise FileNotFoundError(f"could not fetch CompressAI's {name}: give its state dict as weights=FILE") from error
    if weights is not None:
        model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return LearnedCodec(model.eval().requires_grad_(False))


def _fetch(kind: Any, model: str, **settings: object) -> Any:
    """``from_pretrained`` whose failure says in one line what to do."""
    try:
        return kind.from_pretrained(model, **settings)
    except OSError as error:
        what = f"expected a folder with a diffusers {kind.__name__}, or its name on a hub that can be reached"
        raise FileNotFoundError(f"{what}; got {model!r}") from error


def _library(name: str, extra: str = "regeneration") -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.split(".")[0]
        raise ImportError(f"this attack needs {package}: pip install 'robust-watermark[{extra}]'") from error
