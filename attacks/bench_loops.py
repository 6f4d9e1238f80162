"""The other side of the benchmark: what people write for one 8-bit picture with Pillow, OpenCV, SciPy, scikit-image."""

import io
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import skimage.restoration
import torch
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from scipy import ndimage
from torch import Tensor

import attacks
from attacks.base import Attack

Loop = Callable[[np.ndarray], Any]
"""A picture ``(H, W, 3)`` in bytes to another."""
Pairs = dict[str, tuple[Attack, dict[str, Loop]]]


def one_by_one(loop: Loop, images: Tensor) -> list[Tensor]:
    """The loop around it: floats to bytes, the operation, bytes to floats, one picture after the other."""
    results = []
    for image in images:
        levels = (image.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        result = np.ascontiguousarray(loop(levels).transpose(2, 0, 1))
        results.append(torch.from_numpy(result).float() / 255)
    return results


def pairs(size: int) -> Pairs:
    """Every attack that others have code for, with that code, for pictures of ``size`` pixels a side."""
    geometry = {**_sizes(size), **_warps(size), **_moves(size)}
    return {**_files(), **geometry, **_colours(), **_noise(), **_filters(), **_denoisers()}


def _files() -> Pairs:
    return {
        "jpeg 50": (
            attacks.Jpeg(50),
            {
                "Pillow": _file(format="JPEG", quality=50),
                "OpenCV": lambda p: cv2.imdecode(
                    cv2.imencode(".jpg", p[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 50])[1], cv2.IMREAD_COLOR_RGB
                ),
            },
        ),
        "webp 50": (attacks.WebP(50), {"Pillow": _file(format="WEBP", quality=50)}),
        "avif 50": (attacks.Avif(50), {"Pillow": _file(format="AVIF", quality=50, speed=8, max_threads=1)}),
        "jpeg2000 20": (
            attacks.Jpeg2000(20),
            {"Pillow": _file(format="JPEG2000", quality_mode="rates", quality_layers=[20], irreversible=True, mct=1)},
        ),
    }


def _sizes(size: int) -> Pairs:
    half, cut, side = size // 2, round(size * 0.7**0.5), round(size * 0.5**0.5)
    frame, bicubic = (size, size), Image.Resampling.BICUBIC
    return {
        "crop .5": (attacks.Crop(0.5), {"NumPy": lambda p: p[:side, :side]}),
        "crop_resize .7": (
            attacks.CropResize(0.7),
            # not cv2.resize: its bicubic is another one (a = -.75 instead of -.5, without antialiasing)
            {"Pillow": lambda p: np.asarray(Image.fromarray(p).resize(frame, bicubic, (0, 0, cut, cut)))},
        ),
        "resize .5": (
            attacks.Resize(0.5),
            {"Pillow": lambda p: np.asarray(Image.fromarray(p).resize((half, half), bicubic))},
        ),
        "resize_back .5": (
            attacks.ResizeBack(0.5),
            {"Pillow": lambda p: np.asarray(Image.fromarray(p).resize((half, half), bicubic).resize(frame, bicubic))},
        ),
        "aspect .8": (
            attacks.Aspect(0.8),
            {"Pillow": lambda p: np.asarray(Image.fromarray(p).resize((round(0.8 * size), size), bicubic))},
        ),
    }


def _warps(size: int) -> Pairs:
    frame, cubic, middle = (size, size), cv2.INTER_CUBIC, size / 2 - 0.5
    turn = cv2.getRotationMatrix2D((middle, middle), 9, 1.0)
    slide = np.array([[1, 0.05, -0.05 * middle], [0, 1, 0]])
    stretch = np.array([[1.010, 0.013, -0.023 * middle], [0.009, 1.011, -0.020 * middle]])
    corners = np.array([[0, 0], [size - 1, 0], [size - 1, size - 1], [0, size - 1]], np.float32)
    dice, inwards = np.random.default_rng(0), np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])

    def look_from_aside(picture: np.ndarray) -> np.ndarray:
        """Every picture has its own corners, as in torchvision and Albumentations."""
        moved = corners + inwards * dice.uniform(0, 0.3 * size / 2, (4, 2))
        lens = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
        return cv2.warpPerspective(picture, lens, frame)

    return {
        "rotation 9": (
            attacks.Rotation(9),
            {
                "Pillow": lambda p: np.asarray(Image.fromarray(p).rotate(9, Image.Resampling.BICUBIC)),
                "OpenCV": lambda p: cv2.warpAffine(p, turn, frame, flags=cubic),
            },
        ),
        "shear .05": (attacks.Shear(0.05), {"OpenCV": lambda p: cv2.warpAffine(p, slide, frame, flags=cubic)}),
        "linear 1": (attacks.Linear(1), {"OpenCV": lambda p: cv2.warpAffine(p, stretch, frame, flags=cubic)}),
        "perspective .3": (attacks.Perspective(0.3), {"OpenCV": look_from_aside}),
    }


def _moves(size: int) -> Pairs:
    gone = np.linspace(0, size - 1, 17).astype(int)
    return {
        "flip": (attacks.Flip(), {"OpenCV": lambda p: cv2.flip(p, 1)}),
        "translate 17": (
            attacks.Translate(17),
            {"OpenCV": lambda p: cv2.copyMakeBorder(p[:-17, :-17], 17, 0, 17, 0, cv2.BORDER_CONSTANT)},
        ),
        "pad 32": (attacks.Pad(32), {"OpenCV": lambda p: cv2.copyMakeBorder(p, 32, 32, 32, 32, cv2.BORDER_CONSTANT)}),
        "remove_lines 17": (
            attacks.RemoveLines(17),
            {"NumPy": lambda p: np.delete(np.delete(p, gone, 0), gone, 1)},
        ),
        "erase .2": (attacks.Erase(0.2), {"NumPy": _erase}),
    }


def _colours() -> Pairs:
    powers = (np.linspace(0, 1, 256) ** 1.5 * 255).round().astype(np.uint8)
    return {
        "brightness 1.4": (
            attacks.Brightness(1.4),
            {"Pillow": _enhance("Brightness"), "OpenCV": lambda p: cv2.convertScaleAbs(p, alpha=1.4)},
        ),
        "contrast 1.4": (attacks.Contrast(1.4), {"Pillow": _enhance("Contrast")}),
        "saturation 1.4": (attacks.Saturation(1.4), {"Pillow": _enhance("Color")}),
        "gamma 1.5": (attacks.Gamma(1.5), {"OpenCV": lambda p: cv2.LUT(p, powers)}),
        "hue .1": (attacks.Hue(0.1), {"OpenCV": _hue}),
        "grayscale": (
            attacks.Grayscale(),
            {"OpenCV": lambda p: cv2.cvtColor(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)},
        ),
        "palette 64": (
            attacks.Palette(64),
            {"Pillow": lambda p: np.asarray(Image.fromarray(p).quantize(64, dither=Image.Dither.NONE).convert("RGB"))},
        ),
        "equalize": (
            attacks.Equalize(),
            {
                "Pillow": lambda p: np.asarray(ImageOps.equalize(Image.fromarray(p))),
                "OpenCV": lambda p: cv2.merge([cv2.equalizeHist(plane) for plane in cv2.split(p)]),
            },
        ),
    }


def _noise() -> Pairs:
    dice = np.random.default_rng(0)

    def add(picture: np.ndarray) -> np.ndarray:
        return _round(picture + dice.normal(0, 0.06 * 255, picture.shape))

    def multiply(picture: np.ndarray) -> np.ndarray:
        return _round(picture * (1 + dice.normal(0, 0.2, picture.shape)))

    def sprinkle(picture: np.ndarray) -> np.ndarray:
        draws, picture = dice.random(picture.shape[:2]), picture.copy()
        picture[draws < 0.01], picture[draws > 0.99] = 0, 255
        return picture

    return {
        "gaussian_noise .06": (attacks.GaussianNoise(0.06), {"NumPy": add}),
        "speckle_noise .2": (attacks.SpeckleNoise(0.2), {"NumPy": multiply}),
        "salt_pepper .02": (attacks.SaltPepper(0.02), {"NumPy": sprinkle}),
    }


def _filters() -> Pairs:
    result: Pairs = {
        "gaussian_blur 3": (
            attacks.GaussianBlur(3),
            {
                "Pillow": lambda p: np.asarray(Image.fromarray(p).filter(ImageFilter.GaussianBlur(3))),
                "SciPy": lambda p: ndimage.gaussian_filter(p, (3, 3, 0)),
                "OpenCV": lambda p: cv2.GaussianBlur(p, (25, 25), 3),
            },
        ),
        "sharpen 1": (
            attacks.Sharpen(1),
            {
                "Pillow": lambda p: np.asarray(Image.fromarray(p).filter(ImageFilter.UnsharpMask(1, 100, 0))),
                "OpenCV": lambda p: cv2.addWeighted(p, 2, cv2.GaussianBlur(p, (9, 9), 1), -1, 0),
            },
        ),
    }
    for size in (3, 5, 9, 17):
        result[f"median {size}"] = (attacks.Median(size), {"OpenCV": lambda p, size=size: cv2.medianBlur(p, size)})  # type: ignore[misc]
    return result


def _denoisers() -> Pairs:
    return {
        "total_variation .1": (attacks.TotalVariation(0.1), {"scikit-image": _total_variation}),
        "nonlocal_means .06": (
            attacks.NonLocalMeans(0.06),
            {
                "scikit-image": _nonlocal_means,
                "OpenCV": lambda p: cv2.fastNlMeansDenoisingColored(p, None, 15, 15, 5, 11),
            },
        ),
        "wavelet_shrinkage .06": (attacks.WaveletShrinkage(0.06), {"scikit-image": _wavelet}),
    }


def _file(**settings: object) -> Loop:
    def save_and_load(picture: np.ndarray) -> np.ndarray:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, **settings)  # type: ignore[arg-type]
        return np.asarray(Image.open(buffer, formats=(str(settings["format"]),)))

    return save_and_load


def _enhance(name: str) -> Loop:
    return lambda picture: np.asarray(getattr(ImageEnhance, name)(Image.fromarray(picture)).enhance(1.4))


def _erase(picture: np.ndarray) -> np.ndarray:
    picture = picture.copy()
    side = round(len(picture) * 0.2**0.5)
    picture[:side, :side] = 0
    return picture


def _hue(picture: np.ndarray) -> np.ndarray:
    turned = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    turned[..., 0] = (turned[..., 0].astype(int) + 18) % 180
    return cv2.cvtColor(turned, cv2.COLOR_HSV2RGB)


def _total_variation(picture: np.ndarray) -> np.ndarray:
    restored = skimage.restoration.denoise_tv_chambolle(_floats(picture), 0.1, eps=0, max_num_iter=41, channel_axis=-1)
    return _round(restored * 255)


def _nonlocal_means(picture: np.ndarray) -> np.ndarray:
    settings = {"patch_size": 5, "patch_distance": 5, "h": 0.036, "sigma": 0.06}
    restored = skimage.restoration.denoise_nl_means(_floats(picture), fast_mode=True, channel_axis=-1, **settings)
    return _round(restored * 255)


def _wavelet(picture: np.ndarray) -> np.ndarray:
    settings = {"wavelet": "db2", "wavelet_levels": 4, "rescale_sigma": False}
    restored = skimage.restoration.denoise_wavelet(_floats(picture), sigma=0.06, channel_axis=-1, **settings)
    return _round(restored * 255)


def _floats(picture: np.ndarray) -> np.ndarray:
    return picture.astype(np.float32) / 255


def _round(values: np.ndarray) -> np.ndarray:
    return values.round().clip(0, 255).astype(np.uint8)
