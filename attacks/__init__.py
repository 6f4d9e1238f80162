"""Attacks on images, batched, on any device; knows nothing of watermarks.

``from attacks import Screenshot; attacked = Screenshot(scale=0.67)(images)`` with ``images`` float ``(N, 3, H, W)``,
RGB, ``[0, 1]``; or ``Screenshot(scale=0.67).picture(image)`` with a Pillow picture. What needs a model or a decoder
lives in ``attacks.pretrained``, ``attacks.adversarial``, ``attacks.residual`` and ``attacks.collusion``.
"""

from attacks.base import Attack
from attacks.capture import PrintScan, ScreenCamera, SoftScreenCamera
from attacks.compose import Chain, Combined
from attacks.compression import Avif, Jpeg, Jpeg2000, WebP
from attacks.crop import Crop, CropResize
from attacks.denoise import DctShrinkage, DenoiseResample, NonLocalMeans, TotalVariation, WaveletShrinkage, Wiener
from attacks.diffusion.latent import DiffusionRegeneration
from attacks.diffusion.pixel import PixelDiffusion
from attacks.erase import Erase
from attacks.filters import GaussianBlur, Median, Sharpen
from attacks.geometry import Bending, Linear, Pad, Perspective, RemoveLines, Shear, Translate
from attacks.identity import Identity
from attacks.noise import GaussianNoise, SaltPepper, SpeckleNoise
from attacks.palette import Palette
from attacks.partial import Collage, Inpaint, OverlayText, Paste, Splice, Stickers
from attacks.photometric import Brightness, Contrast, Equalize, Gamma, Grayscale, Hue, Saturation, Sharpness
from attacks.regeneration import Regeneration
from attacks.reshare import Reshare
from attacks.resize import Aspect, Resize, ResizeBack
from attacks.rotation import Flip, Rotation
from attacks.screenshot import Screenshot, ScreenshotCrop
from attacks.soft_jpeg import SoftJpeg

__all__ = [
    "Aspect",
    "Attack",
    "Avif",
    "Bending",
    "Brightness",
    "Chain",
    "Collage",
    "Combined",
    "Contrast",
    "Crop",
    "CropResize",
    "DctShrinkage",
    "DenoiseResample",
    "DiffusionRegeneration",
    "Equalize",
    "Erase",
    "Flip",
    "Gamma",
    "GaussianBlur",
    "GaussianNoise",
    "Grayscale",
    "Hue",
    "Identity",
    "Inpaint",
    "Jpeg",
    "Jpeg2000",
    "Linear",
    "Median",
    "NonLocalMeans",
    "OverlayText",
    "Pad",
    "Palette",
    "Paste",
    "Perspective",
    "PixelDiffusion",
    "PrintScan",
    "Regeneration",
    "RemoveLines",
    "Reshare",
    "Resize",
    "ResizeBack",
    "Rotation",
    "SaltPepper",
    "Saturation",
    "ScreenCamera",
    "Screenshot",
    "ScreenshotCrop",
    "Sharpen",
    "Sharpness",
    "Shear",
    "SoftJpeg",
    "SoftScreenCamera",
    "SpeckleNoise",
    "Splice",
    "Stickers",
    "TotalVariation",
    "Translate",
    "WaveletShrinkage",
    "WebP",
    "Wiener",
]
