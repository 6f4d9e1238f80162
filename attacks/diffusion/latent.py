"""Regeneration by latent diffusion: encode, noise the code, let a diffusion model take the noise off, decode."""

from torch import Tensor, nn

from attacks.base import Attack, Generators
from attacks.diffusion import sampler
from attacks.diffusion.models import LatentModel, own_latent_model
from attacks.diffusion.schedule import NoiseChain, latent_chain
from attacks.functional import draw, warp

KINDS = ("mode", "sample")


class DiffusionRegeneration(Attack):
    """Noise the picture's latents up to a training step of a diffusion model and let it denoise them; no text guides.

    Args:
        step: how far, in training steps of 1000 of Stable Diffusion's schedule; 0 is the coder's bare round trip.
        model: ``main`` (our own small denoiser in our own auto-encoder's codes; NOT Stable Diffusion), the path of
            weights trained on the same codes, or any ``LatentModel``: ``load_latent_diffusion`` of
            ``attacks.diffusion.stable_diffusion`` and ``taesd_model`` of ``attacks.diffusion.models`` make some.
        passes: times in a row; WAVES rinses 2 and 4 times with fewer steps.
        size: side in px of the square that the picture is resized to for the model, and back; 512 is what WAVES and
            W-Bench run at. None: its own size.
        posterior: start from the ``mode`` of what the encoder says, or from a ``sample``, as published; the same for
            coders that are certain, as ours are.
        ancestral: draw at every step (DDPM) instead of DDIM.
        inversion: add no noise but run the model backwards first (DDIM inversion; W-Bench's deterministic
            regeneration). Up to ``step`` only, and with first-order steps, where W-Bench goes to pure noise.
    """

    differentiable, geometric, harder = True, False, "higher"
    family, card = "removal", "diffusion"
    unit = "training steps of 1000"
    reproduces = "WatermarkAttacker and WAVES Regen-Diff and Rinse, W-Bench stochastic regeneration; named model"
    version = 2

    def __init__(
        self,
        step: int,
        model: str | LatentModel = "main",
        passes: int = 1,
        size: int | None = None,
        posterior: str = "mode",
        ancestral: bool = False,
        inversion: bool = False,
    ) -> None:
        if not 0 <= step <= 999:
            raise ValueError(f"step must be in 0..999, got {step}")
        if passes < 1:
            raise ValueError(f"passes must be at least 1, got {passes}")
        if posterior not in KINDS:
            raise ValueError(f"posterior must be one of {', '.join(KINDS)}, got {posterior!r}")
        super().__init__(step)
        self.passes, self.size, self.posterior = passes, size, posterior
        self.ancestral, self.inversion = ancestral, inversion
        self.model = own_latent_model(None if model == "main" else model) if isinstance(model, str) else model

    def transform(self, images: Tensor, generators: Generators) -> Tensor:
        """``passes`` trips, each clamped to [0, 1]."""
        if isinstance(self.model, nn.Module):
            self.model.to(images.device)
        height, width = images.shape[-2:]
        inner = images if self.size is None else warp.resize(images, (self.size, self.size)).clamp(0, 1)
        for _ in range(self.passes):
            decoded = self.model.decode(self._regenerate(self._latents(inner, generators), generators))
            inner = decoded[..., : inner.shape[-2], : inner.shape[-1]].clamp(0, 1).to(images.dtype)
        return warp.resize(inner, (height, width))

    def _latents(self, images: Tensor, generators: Generators) -> Tensor:
        mean, deviation = self.model.posterior(images)
        if deviation is None or self.posterior == "mode":
            return mean
        return mean + deviation * draw.normal(generators, mean)

    def _regenerate(self, latents: Tensor, generators: Generators) -> Tensor:
        if not self.strength:
            return latents
        chain = self._chain()
        if self.inversion:
            return sampler.round_trip(self.model.denoise, latents, chain, generators)
        return sampler.regenerate(self.model.denoise, latents, chain, generators, self.ancestral)

    def _chain(self) -> NoiseChain:
        """The model's own schedule where it has one."""
        own = getattr(self.model, "chain", None)
        return own(int(self.strength)) if own else latent_chain(int(self.strength))
