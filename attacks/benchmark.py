"""How fast: every attack batched on the device against the per-image loop that others write.

``python -m attacks.benchmark --size 512 --batch 8`` times both sides in one run and prints milliseconds per image and
their ratio. Both sides get and return float tensors, as decoders want them: the loop turns one image after the other
into 8 bits, through Pillow, SciPy, scikit-image or (if it is installed) OpenCV, and back; where several would do, the
fastest counts. Without a GPU the GPU column says so. ``--cpu-seconds`` counts the processor's time instead of the
clock's: on a busy machine, with one thread.
"""

import argparse
import importlib
import importlib.util
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import skimage.data
import skimage.restoration
import torch
from PIL import Image, ImageEnhance, ImageFilter
from scipy import ndimage
from torch import Tensor
from torchvision.transforms.functional import to_tensor

import attacks
from attacks.base import Attack
from attacks.functional import codec, warp

Loop = Callable[[Image.Image], np.ndarray]
Clock = Callable[[], float]


@dataclass(frozen=True)
class Timing:
    """One row: milliseconds per image, best of the repeats."""

    attack: str
    library: str
    loop_ms: float
    batched_ms: float
    gpu_ms: float | None
    """None where there was no CUDA device."""

    @property
    def ratio(self) -> float:
        """How many times faster the batch is on the CPU."""
        return self.loop_ms / self.batched_ms

    @property
    def gpu_ratio(self) -> float | None:
        """The same on the GPU, against the loop on the CPU."""
        return self.loop_ms / self.gpu_ms if self.gpu_ms else None


def run(size: int = 512, batch: int = 8, repeats: int = 3, clock: Clock = time.perf_counter) -> list[Timing]:
    """Time every pair on ``batch`` photographs of ``size`` pixels a side."""
    photo = torch.from_numpy(skimage.data.astronaut()).permute(2, 0, 1)[None].float() / 255
    images = warp.resize(photo, (size, size)).clamp(0, 1).expand(batch, -1, -1, -1).contiguous()
    rows = []
    for name, (attack, loops) in pairs(size).items():
        batched = _best(partial(attack, images), batch, repeats, clock)
        timed = {key: _best(partial(_one_by_one, loop, images), batch, repeats, clock) for key, loop in loops.items()}
        library = min(timed, key=lambda key: timed[key])
        rows.append(Timing(name, library, timed[library], batched, _gpu(attack, images, batch, repeats)))
    return rows


def _one_by_one(loop: Loop, images: Tensor) -> list[Tensor]:
    return [to_tensor(np.array(loop(codec.to_pillow(image[None])[0]))) for image in images]


def pairs(size: int) -> dict[str, tuple[Attack, dict[str, Loop]]]:
    """The attacks that others' code has, and that code."""
    half, cut, side = size // 2, round(size * 0.7**0.5), (round(size * 0.5**0.5),) * 2
    bicubic = Image.Resampling.BICUBIC
    result: dict[str, tuple[Attack, dict[str, Loop]]] = {
        "jpeg 50": (attacks.Jpeg(50), {"Pillow": _file(format="JPEG", quality=50)}),
        "webp 50": (attacks.WebP(50), {"Pillow": _file(format="WEBP", quality=50)}),
        "crop .5": (attacks.Crop(0.5), {"Pillow": lambda p: np.asarray(p.crop((0, 0, *side)))}),
        "crop_resize .7": (
            attacks.CropResize(0.7),
            {"Pillow": lambda p: np.asarray(p.resize((size, size), bicubic, (0, 0, cut, cut)))},
        ),
        "resize .5": (attacks.Resize(0.5), {"Pillow": lambda p: np.asarray(p.resize((half, half), bicubic))}),
        "rotation 9": (attacks.Rotation(9), {"Pillow": lambda p: np.asarray(p.rotate(9, bicubic))}),
        "brightness 1.4": (attacks.Brightness(1.4), {"Pillow": _enhance("Brightness")}),
        "contrast 1.4": (attacks.Contrast(1.4), {"Pillow": _enhance("Contrast")}),
        "saturation 1.4": (attacks.Saturation(1.4), {"Pillow": _enhance("Color")}),
        "gaussian_noise .06": (attacks.GaussianNoise(0.06), {"NumPy": _noise}),
        "gaussian_blur 3": (
            attacks.GaussianBlur(3),
            {
                "Pillow": lambda p: np.asarray(p.filter(ImageFilter.GaussianBlur(3))),
                "SciPy": lambda p: ndimage.gaussian_filter(np.asarray(p), (3, 3, 0)),
            },
        ),
        "median 3": (attacks.Median(3), {"Pillow": lambda p: np.asarray(p.filter(ImageFilter.MedianFilter(3)))}),
        "median 9": (attacks.Median(9), {"Pillow": lambda p: np.asarray(p.filter(ImageFilter.MedianFilter(9)))}),
        "total_variation .1": (attacks.TotalVariation(0.1), {"scikit-image": _total_variation}),
        "nonlocal_means .06": (attacks.NonLocalMeans(0.06), {"scikit-image": _nonlocal_means}),
        "wavelet_shrinkage .06": (attacks.WaveletShrinkage(0.06), {"scikit-image": _wavelet}),
    }
    if importlib.util.find_spec("cv2"):
        _add_opencv(result, size)
    return result


def _add_opencv(result: dict[str, tuple[Attack, dict[str, Loop]]], size: int) -> None:
    cv2 = importlib.import_module("cv2")
    cv2.setNumThreads(torch.get_num_threads())
    turn = cv2.getRotationMatrix2D((size / 2 - 0.5, size / 2 - 0.5), 9, 1.0)
    frame, how = (size, size), cv2.INTER_CUBIC
    result["rotation 9"][1]["OpenCV"] = lambda p: cv2.warpAffine(np.asarray(p), turn, frame, flags=how)
    result["gaussian_blur 3"][1]["OpenCV"] = lambda p: cv2.GaussianBlur(np.asarray(p), (25, 25), 3)
    result["median 3"][1]["OpenCV"] = lambda p: cv2.medianBlur(np.asarray(p), 3)
    result["median 9"][1]["OpenCV"] = lambda p: cv2.medianBlur(np.asarray(p), 9)
    means = cv2.fastNlMeansDenoisingColored
    result["nonlocal_means .06"][1]["OpenCV"] = lambda p: means(np.asarray(p), None, 15, 15, 5, 11)


def _file(**settings: object) -> Loop:
    return lambda picture: np.asarray(codec.save_and_load(picture, **settings))


def _enhance(name: str) -> Loop:
    return lambda picture: np.asarray(getattr(ImageEnhance, name)(picture).enhance(1.4))


def _noise(picture: Image.Image) -> np.ndarray:
    noisy = np.asarray(picture) / 255 + np.random.default_rng(0).normal(0, 0.06, (*picture.size[::-1], 3))
    return (noisy.clip(0, 1) * 255).round().astype(np.uint8)


def _total_variation(picture: Image.Image) -> np.ndarray:
    values = np.asarray(picture, np.float32) / 255
    return skimage.restoration.denoise_tv_chambolle(values, 0.1, eps=0, max_num_iter=41, channel_axis=-1)


def _nonlocal_means(picture: Image.Image) -> np.ndarray:
    values = np.asarray(picture, np.float32) / 255
    settings = {"patch_size": 5, "patch_distance": 5, "h": 0.036, "sigma": 0.06}
    return skimage.restoration.denoise_nl_means(values, fast_mode=True, channel_axis=-1, **settings)


def _wavelet(picture: Image.Image) -> np.ndarray:
    values = np.asarray(picture, np.float32) / 255
    settings = {"wavelet": "db2", "wavelet_levels": 4, "rescale_sigma": False}
    return skimage.restoration.denoise_wavelet(values, sigma=0.06, channel_axis=-1, **settings)


def _best(call: Callable[[], object], count: int, repeats: int, clock: Clock = time.perf_counter) -> float:
    call()  # warm up
    seconds = []
    for _ in range(repeats):
        began = clock()
        call()
        seconds.append(clock() - began)
    return 1000 * min(seconds) / count


def _gpu(attack: Attack, images: Tensor, count: int, repeats: int) -> float | None:
    if not torch.cuda.is_available():
        return None
    there = images.cuda()

    def call() -> None:
        attack(there)
        torch.cuda.synchronize()

    return _best(call, count, repeats)


def table(rows: list[Timing]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| attack | loop | loop, ms | batched CPU, ms | ratio | GPU, ms | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        gpu = "no GPU | -" if row.gpu_ms is None else f"{row.gpu_ms:.2f} | {row.gpu_ratio:.1f}"
        numbers = f"{row.loop_ms:.1f} | {row.batched_ms:.1f} | {row.ratio:.1f} | {gpu}"
        lines.append(f"| {row.attack} | {row.library} | {numbers} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Command line of the module."""
    parser = argparse.ArgumentParser(prog="python -m attacks.benchmark", description=__doc__)
    parser.add_argument("--size", type=int, default=512, help="side of the pictures in pixels")
    parser.add_argument("--batch", type=int, default=8, help="pictures per batch")
    parser.add_argument("--repeats", type=int, default=3, help="the best of so many counts")
    parser.add_argument("--cpu-seconds", action="store_true", help="processor time instead of the clock's")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    options = parser.parse_args(arguments)
    clock = time.process_time if options.cpu_seconds else time.perf_counter
    rows = run(options.size, options.batch, options.repeats, clock)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    facts = {"size": options.size, "batch": options.batch, "threads": torch.get_num_threads(), "gpu": device}
    facts |= {"clock": "processor" if options.cpu_seconds else "wall"}
    sys.stdout.write(f"{facts}\n{table(rows)}\n")
    if options.json:
        options.json.write_text(json.dumps({**facts, "rows": [asdict(row) for row in rows]}, indent=2))


if __name__ == "__main__":
    main()
