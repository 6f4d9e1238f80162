"""Other people's image coders behind one interface, for ``Regeneration(model=...)``.

``load_taesd`` reads a local folder and needs only torch; the others import their library when they are called
(``pip install 'robust-watermark[regeneration]'``) and take a folder, or a name that the library itself may download.
"""

import importlib
import importlib.util
import os
import socket
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

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

    Codes are shifted and scaled as the model's own configuration says (about unit variance).
    """

    def __init__(self, vae: nn.Module) -> None:
        super().__init__()
        self.vae = vae
        facts = vae.config
        self.scale = float(getattr(facts, "scaling_factor", None) or 1.0)
        self.shift = float(getattr(facts, "shift_factor", None) or 0.0)
        self.multiple = 2 ** (len(facts.block_out_channels) - 1)  # type: ignore[union-attr,arg-type]

    def encode(self, images: Tensor) -> Tensor:
        """``(N, 3, H, W)`` in [0, 1] to the mode of the code's posterior."""
        return self.posterior(images)[0]

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """``(N, 3, H, W)`` in [0, 1] to mean and standard deviation of the code; None where the coder is certain."""
        found = self.vae.encode(_pad(images, self.multiple) * 2 - 1)  # type: ignore[operator]
        if not hasattr(found, "latent_dist"):
            return (found.latents - self.shift) * self.scale, None
        return (found.latent_dist.mean - self.shift) * self.scale, found.latent_dist.std * self.scale

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
    vae = fetch(getattr(library("diffusers"), kind), model, subfolder=subfolder)
    return DiffusersVae(vae.eval().requires_grad_(False))


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
    build = getattr(library("compressai.zoo", "learned-codec"), name)
    try:
        model = build(quality=quality, pretrained=weights is None)
    except OSError as error:
        raise FileNotFoundError(f"could not fetch CompressAI's {name}: give its state dict as weights=FILE") from error
    if weights is not None:
        model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return LearnedCodec(model.eval().requires_grad_(False))


def fetch(kind: Any, model: str, **settings: object) -> Any:
    """``from_pretrained`` whose failure says in one line what to do.

    Where the hub cannot be found, only what was fetched before is looked for: its client would ask again for a minute.
    """
    if Path(model).is_dir() or not hub_is_found():
        settings["local_files_only"] = True
    if importlib.util.find_spec("accelerate") is None:
        settings["low_cpu_mem_usage"] = False  # what it does anyway, after four lines of advice
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="huggingface_hub")  # of settings that diffusers chose
            return kind.from_pretrained(model, **settings)
    except (OSError, ValueError) as error:  # a folder that is none is a ValueError to its pipelines
        what = f"expected a folder with a diffusers {kind.__name__}, or its name on a hub that can be reached"
        raise FileNotFoundError(f"{what}; got {model!r}") from error


def hub_is_found() -> bool:
    """Whether the hub has an address here; behind a proxy it is the proxy that looks it up."""
    if getproxies():
        return True
    try:
        socket.getaddrinfo(urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co")).hostname, 443)
    except OSError:
        return False
    return True


def library(name: str, extra: str = "regeneration") -> ModuleType:
    """A library that is imported only where it is needed; ``ImportError`` says what to install."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.split(".")[0]
        raise ImportError(f"this attack needs {package}: pip install 'robust-watermark[{extra}]'") from error
