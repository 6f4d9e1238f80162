"""How hard are our diffusion rungs? Two peers go through them; W-Bench says how hard Stable Diffusion is for the two.

    python calibrate.py --kodak DIR --others DIR --rows calibration.jsonl [--taesd DIR]
    python calibrate.py --rows calibration.jsonl --table
    python calibrate.py --rows calibration.jsonl --figure calibration.png

One row per picture, peer and rung is appended, so a stopped run goes on where it was. Pictures are squares of 512 px, as
W-Bench's: the middle of a Kodak picture, and smaller photographs enlarged, which are told apart in the table. Bits and
noise come from the picture's name.
"""

import argparse
import json
import time
import zlib
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from attacks import DiffusionRegeneration, Identity, PixelDiffusion
from attacks.diffusion.models import OwnLatentModel, taesd_model
from watermark.images import to_8bit
from watermark.metrics.psnr import psnr
from watermark.metrics.ssim import ssim

HERE, SIDE = Path(__file__).parent, 512
PEERS = ("rivaGan", "dwtDctSvd")
FEWEST = 2
"""Pictures that a row of the table needs."""
PUBLISHED = json.loads((HERE / "wbench.json").read_text())


def rungs(taesd: str | None, only: list[str] | None) -> dict:
    """Name and strength of every rung to the attack, cheap ones first; no model is loaded that is not asked for."""
    steps, times = (0, 20, 60, 100, 240), (0.05, 0.1, 0.15, 0.2)
    kinds = {
        "none": ((0,), lambda: Identity),
        "diffusion": (steps, lambda: DiffusionRegeneration),
        "diffusion_ancestral": ((100, 240), lambda: partial(DiffusionRegeneration, ancestral=True)),
        "diffusion_rinse4": ((50,), lambda: partial(DiffusionRegeneration, passes=4)),
        "diffusion_taesd": (steps, lambda: partial(DiffusionRegeneration, model=half_taesd(taesd))),
        "diffusion_pixel": (times, lambda: PixelDiffusion),
    }
    asked = [name for name in kinds if (only is None or name in only) and (taesd or name != "diffusion_taesd")]
    built = {name: kinds[name][1]() for name in asked}
    return {(name, strength): built[name](strength) for name in asked for strength in kinds[name][0]}


class HalfCoder:
    """A coder in bfloat16, three times as fast; the denoiser and the arithmetic of the noise stay in float32."""

    def __init__(self, coder: torch.nn.Module) -> None:
        self.coder = coder.to(memory_format=torch.channels_last)

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return self.coder.encode(images.contiguous(memory_format=torch.channels_last)).float()

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return self.coder.decode(latents.contiguous(memory_format=torch.channels_last)).float()


def half_taesd(folder: str) -> OwnLatentModel:
    model = taesd_model(folder)
    return OwnLatentModel(HalfCoder(model.coder), model.network)


def square(path: Path) -> np.ndarray:
    """``(512, 512, 3)`` uint8."""
    with Image.open(path) as picture:
        picture = picture.convert("RGB")
        if min(picture.size) >= SIDE:
            left, top = ((side - SIDE) // 2 for side in picture.size)
            return np.array(picture.crop((left, top, left + SIDE, top + SIDE)))
        return np.array(ImageOps.fit(picture, (SIDE, SIDE), Image.Resampling.BICUBIC))


def tensor(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255


def measure(path: Path, wanted: dict, done: set) -> Iterator[dict]:
    """Mark by both peers, attack at every rung that is not done, read."""
    from watermark.schemes.peers import DwtDctSvdMax, RivaGan  # the table and the figure do not need their package

    marks = {"rivaGan": RivaGan(key="calibrate"), "dwtDctSvd": DwtDctSvdMax(key="calibrate", message_bits=32)}
    picture = square(path)
    for name in PEERS:
        todo = [key for key in wanted if (path.name, name, *key) not in done]
        if not todo:
            continue
        seed = zlib.crc32(path.name.encode())
        bits = np.random.default_rng(seed).integers(0, 2, 32)
        marked = tensor(marks[name].mark(picture, bits == 1))
        for key in todo:
            started = time.process_time()
            attacked = to_8bit(wanted[key](marked, torch.Generator().manual_seed(seed)))
            seconds = time.process_time() - started
            array = (attacked[0] * 255).round().byte().permute(1, 2, 0).numpy().copy()
            right = float(((marks[name].soft(array) > 0) == (bits == 1)).mean())
            row = {"image": path.name, "peer": name, "attack": key[0], "strength": key[1], "bits_right": right}
            row |= {
                "psnr": round(min(psnr(attacked, marked).item(), 99.0), 3),
                "ssim": round(ssim(attacked, marked).item(), 4),
            }
            yield row | {"cpu_s": round(seconds, 2)}


def as_hard_as(accuracy: float, peer: str) -> float:
    """The Stable Diffusion step that leaves this share of the bits, by straight lines; inf beyond the table."""
    steps, published = PUBLISHED["step"], np.minimum.accumulate(PUBLISHED[peer])
    if accuracy > published[0]:
        return 0.0  # milder than the mildest published
    if accuracy < published[-1]:
        return float("inf")
    return float(np.interp(-accuracy, -published, steps))


def shown(step: float) -> str:
    return "< 60" if step == 0 else "> 240" if np.isinf(step) else f"{step:.0f}"


def table(rows: list[dict]) -> None:
    """Rungs down, peers across: bit accuracy and the Stable Diffusion step that leaves as much, 95 % bootstrap."""
    found, cost = defaultdict(list), defaultdict(list)
    for row in rows:
        key = "Kodak" if row["image"].startswith("kodim") else "enlarged", row["attack"], row["strength"]
        found[key, row["peer"]].append(row["bits_right"])
        cost[key].append((row["psnr"], row["ssim"], row["cpu_s"]))
    heads = [f"{peer}: n | bits right | as SD step" for peer in PEERS]
    print(f"| pictures | attack | strength | {' | '.join(heads)} | PSNR, dB | SSIM | CPU s a picture |")
    print("|---" * 12 + "|")
    for key in sorted(cost):
        if min(len(found[key, peer]) for peer in PEERS) < FEWEST:
            continue
        cells = " | ".join(_cell(found[key, peer], peer) for peer in PEERS)
        quality = np.mean(cost[key], axis=0)
        print(
            f"| {key[0]} | {key[1]} | {key[2]:g} | {cells} | {quality[0]:.1f} | {quality[1]:.3f} | {quality[2]:.1f} |"
        )


def _cell(values: list[float], peer: str) -> str:
    means = np.random.default_rng(0).choice(values, (10_000, len(values))).mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    step, first, last = (shown(as_hard_as(value, peer)) for value in (np.mean(values), high, low))
    return f"{len(values)} | {np.mean(values):.3f} [{low:.3f} to {high:.3f}] | {step} [{first} to {last}]"


def figure(rows: list[dict], path: Path) -> None:
    """Bits right against the step, W-Bench's and ours, one panel a peer."""
    import matplotlib.pyplot as plt

    _, panels = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
    ours = {"diffusion": "our denoiser, our auto-encoder", "diffusion_taesd": "our denoiser, TAESD"}
    for peer, panel in zip(PEERS, panels, strict=True):
        panel.plot(PUBLISHED["step"], PUBLISHED[peer], "k.-", label="Stable Diffusion 1.4 (W-Bench)")
        for attack, label in ours.items():
            found = defaultdict(list)
            for row in rows:
                if (row["attack"], row["peer"]) == (attack, peer) and row["image"].startswith("kodim"):
                    found[row["strength"]].append(row["bits_right"])
            steps = sorted(found)
            means = [np.mean(found[step]) for step in steps]
            errors = [1.96 * np.std(found[step], ddof=1) / len(found[step]) ** 0.5 for step in steps]
            panel.errorbar(steps, means, errors, marker="o", capsize=3, label=label)
        panel.axhline(0.5, color="grey", linewidth=0.5)
        panel.set(title=peer, xlabel="training step of 1000 (0: coder alone)", ylabel="bits right")
    panels[0].legend(fontsize=8)
    plt.tight_layout()
    plt.savefig(path, dpi=110)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kodak", type=Path)
    parser.add_argument("--others", type=Path, help="other photographs that nothing was trained on")
    parser.add_argument("--taesd", help="folder of TAESD's weights")
    parser.add_argument("--limit", type=int, default=12, help="pictures of each folder (default: %(default)s)")
    parser.add_argument("--only", nargs="+", help="attacks (default: all)")
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--figure", type=Path)
    args = parser.parse_args()
    rows = [json.loads(line) for line in args.rows.read_text().splitlines()] if args.rows.exists() else []
    if args.table:
        return table(rows)
    if args.figure:
        return figure(rows, args.figure)
    torch.set_num_threads(1)
    done = {(row["image"], row["peer"], row["attack"], row["strength"]) for row in rows}
    given = [folder for folder in (args.kodak, args.others) if folder]
    folders = [[path for path in folder.iterdir() if path.suffix in {".png", ".webp"}] for folder in given]
    for paths in folders:
        paths.sort(key=lambda path: zlib.crc32(path.name.encode()))
    wanted = rungs(args.taesd, args.only)
    with args.rows.open("a") as out:
        for pair in zip(*(paths[: args.limit] for paths in folders), strict=False):
            for path in pair:
                for row in measure(path, wanted, done):
                    out.write(json.dumps(row) + "\n")
                    out.flush()
    return None


if __name__ == "__main__":
    main()
