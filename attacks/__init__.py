"""Attacks on images, batched, on any device; knows nothing of watermarks.

``from attacks import Screenshot; attacked = Screenshot(scale=0.67)(images)`` with ``images`` float ``(N, 3, H, W)``,
RGB, ``[0, 1]``; or ``Screenshot(scale=0.67).picture(image)`` with a Pillow picture. What needs a model, a decoder or a
package of the user's lives in ``attacks.pretrained``, ``attacks.video``, ``attacks.adversarial``, ``attacks.residual``
and ``attacks.collusion``.
"""

from attacks.base import Attack
from attacks.capture import PrintScan, ScreenCamera, SoftScreenCamera
from attacks.compose import Chain, Combined
from attacks.compression import Avif, Jpeg, Jpeg2000, WebP
from attacks.crop import Crop, CropResize
from attacks.denoise import DctShrinkage, DenoiseResample, NonLocalMeans, TotalVariation, WaveletShrinkage, Wiener
from attacks.diffusion.latent import DiffusionRegeneration
from attacks.diffusion.pixel import PixelDiffusion
from attacks.editing import BlurPart, Clone, InpaintTelea
from attacks.elastic import Elastic
from attacks.erase import Erase
from attacks.filters import GaussianBlur, KernelBlur, Median, Sharpen
from attacks.geometry import Bending, Linear, Pad, Perspective, RemoveLines, Shear, Translate
from attacks.identity import Identity
from attacks.looks import Look
from attacks.noise import GaussianNoise, ImpulseNoise, SaltPepper, ShotNoise, SpeckleNoise
from attacks.optics import DefocusBlur, MotionBlur
from attacks.overlays import Caption, Meme, Stripes
from attacks.palette import Palette
from attacks.partial import Collage, Inpaint, OverlayText, Paste, Splice, Stickers
from attacks.photometric import (
    Brightness,
    ChannelSwap,
    Contrast,
    Equalize,
    Gamma,
    Grayscale,
    Hue,
    Negative,
    Saturation,
    Sharpness,
)
from attacks.regeneration import Regeneration
from attacks.reshare import Reshare
from attacks.resize import Aspect, Pixelate, Resize, ResizeBack
from attacks.rotation import Flip, Rotation
from attacks.screenshot import Screenshot, ScreenshotCrop
from attacks.soft_jpeg import SoftJpeg
from attacks.weather import Fog, Snow

__all__ = [
    "Aspect",
    "Attack",
    "Avif",
    "Bending",
    "BlurPart",
    "Brightness",
    "Caption",
    "Chain",
    "ChannelSwap",
    "Clone",
    "Collage",
    "Combined",
    "Contrast",
    "Crop",
    "CropResize",
    "DctShrinkage",
    "DefocusBlur",
    "DenoiseResample",
    "DiffusionRegeneration",
    "Elastic",
    "Equalize",
    "Erase",
    "Flip",
    "Fog",
    "Gamma",
    "GaussianBlur",
    "GaussianNoise",
    "Grayscale",
    "Hue",
    "Identity",
    "ImpulseNoise",
    "Inpaint",
    "InpaintTelea",
    "Jpeg",
    "Jpeg2000",
    "KernelBlur",
    "Linear",
    "Look",
    "Median",
    "Meme",
    "MotionBlur",
    "Negative",
    "NonLocalMeans",
    "OverlayText",
    "Pad",
    "Palette",
    "Paste",
    "Perspective",
    "PixelDiffusion",
    "Pixelate",
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
    "ShotNoise",
    "Snow",
    "SoftJpeg",
    "SoftScreenCamera",
    "SpeckleNoise",
    "Splice",
    "Stickers",
    "Stripes",
    "TotalVariation",
    "Translate",
    "WaveletShrinkage",
    "WebP",
    "Wiener",
]
