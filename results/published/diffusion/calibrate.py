"""How hard are our diffusion rungs? Two peers go through them; W-Bench says how hard Stable Diffusion is for the two.

    python calibrate.py --kodak DIR --others DIR --rows calibration.jsonl [--taesd DIR]
    python calibrate.py --rows calibration.jsonl --table
    python calibrate.py --rows calibration.jsonl --figure calibration.png
    python calibrate.py --rows calibration.jsonl --export ../../../watermark/report/calibration.json

One row per picture, peer and rung is appended, so a stopped run goes on where it was. All pictures go through the cheap
rungs before any goes through the dear ones. Pictures are squares of 512 px, as W-Bench's: the middle of a Kodak picture,
and smaller photographs enlarged, which are told apart in the table. Bits and noise come from the picture's name.
"""

import argparse
import json
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from attacks import Attack, DiffusionRegeneration, Identity, PixelDiffusion
from attacks.diffusion.models import OwnLatentModel, taesd_model
from attacks.training.precision import half
from watermark.images import to_8bit
from watermark.metrics.psnr import psnr
from watermark.metrics.ssim import ssim

HERE, SIDE = Path(__file__).parent, 512
PEERS = ("rivaGan", "dwtDctSvd")
FEWEST = 2
"""Pictures that a row of the table needs."""
PUBLISHED = json.loads((HERE / "wbench.json").read_text())


Rungs = dict[tuple[str, float], Attack]


def kinds(taesd: str | None) -> dict[str, tuple[tuple[float, ...], Callable[[], Callable[[float], Attack]]]]:
    """Name of an attack to its strengths and to what builds it, cheap ones first."""
    steps = (0, 60, 100, 240)
    found = {
        "none": ((0,), lambda: Identity),
        "diffusion": ((0, 10, 20, 60, 100, 240), lambda: DiffusionRegeneration),
        "diffusion_ancestral": ((100,), lambda: partial(DiffusionRegeneration, ancestral=True)),
        "diffusion_inversion": ((100,), lambda: partial(DiffusionRegeneration, inversion=True)),
        "diffusion_rinse4": ((50,), lambda: partial(DiffusionRegeneration, passes=4)),
        "diffusion_pixel": ((0.05, 0.1, 0.15, 0.2), lambda: PixelDiffusion),
    }
    if taesd:
        found["diffusion_taesd"] = (steps, lambda: partial(DiffusionRegeneration, model=half_taesd(taesd)))
    return found


def rounds(taesd: str | None, only: list[str] | None) -> Iterator[Rungs]:
    """What all pictures go through before the next round; no model is loaded that is not asked for."""
    dear = {"diffusion_pixel", "diffusion_taesd"}
    asked = {name: kind for name, kind in kinds(taesd).items() if only is None or name in only}
    for names in ([name for name in asked if name not in dear], *([name] for name in asked if name in dear)):
        built = {name: asked[name][1]() for name in names}
        yield {(name, strength): built[name](strength) for name in names for strength in asked[name][0]}


class HalfCoder:
    """A coder in bfloat16 where the processor has it; the denoiser and the arithmetic of the noise stay in float32."""

    def __init__(self, coder: torch.nn.Module) -> None:
        self.coder = coder.to(memory_format=torch.channels_last)

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        with half(images.device):
            return self.coder.encode(images.contiguous(memory_format=torch.channels_last)).float()

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        with half(latents.device):
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


def measure(path: Path, wanted: Rungs, done: set, peers: Sequence[str] = PEERS) -> Iterator[dict]:
    """Mark by the peers, attack at every rung that is not done, read."""
    from watermark.schemes.peers import DwtDctSvdMax, RivaGan  # the table and the figure do not need their package

    marks = {"rivaGan": RivaGan(key="calibrate"), "dwtDctSvd": DwtDctSvdMax(key="calibrate", message_bits=32)}
    picture = square(path)
    for name in peers:
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
                "version": wanted[key].version,
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
    return "under 60" if step == 0 else "beyond 240" if np.isinf(step) else f"{step:.0f}"


def summary(values: list[float], peer: str) -> dict:
    """Bits right and the Stable Diffusion step that leaves as many, 95 % by bootstrap over pictures."""
    means = np.random.default_rng(0).choice(values, (10_000, len(values))).mean(1)
    low, high = (float(bound) for bound in np.quantile(means, (0.025, 0.975)))
    step, first, last = (shown(as_hard_as(value, peer)) for value in (np.mean(values), high, low))
    bits = {"bits_right": round(float(np.mean(values)), 4), "low": round(low, 4), "high": round(high, 4)}
    said = step if step == first == last else f"{step} [{first} to {last}]"
    return {"peer": peer, "images": len(values)} | bits | {"as_step": said}


def grouped(rows: list[dict]) -> dict[tuple[str, str, float], dict[str, list[float]]]:
    """Pictures, attack and strength to the bits right of every peer."""
    found: dict = defaultdict(lambda: defaultdict(list))
    for row in rows:
        kind = "Kodak" if row["image"].startswith("kodim") else "enlarged"
        found[kind, row["attack"], row["strength"]][row["peer"]].append(row["bits_right"])
    return {key: found[key] for key in sorted(found)}


def table(rows: list[dict]) -> None:
    """The published table, and rungs down and peers across: bits right and the step that leaves as many."""
    print(f"| Stable Diffusion 1.4, step | {' | '.join(str(step) for step in PUBLISHED['step'])} |")
    print("|---" * (1 + len(PUBLISHED["step"])) + "|")
    for peer in PEERS:
        print(f"| {peer} | {' | '.join(f'{share:.3f}' for share in PUBLISHED[peer])} |")
    heads = [f"{peer}: n | bits right | as SD step" for peer in PEERS]
    print(f"\n| pictures | attack | strength | {' | '.join(heads)} | PSNR, dB | SSIM | CPU s a picture |")
    print("|---" * 12 + "|")
    cost = defaultdict(list)
    for row in rows:
        kind = "Kodak" if row["image"].startswith("kodim") else "enlarged"
        cost[kind, row["attack"], row["strength"]].append((row["psnr"], row["ssim"], row["cpu_s"]))
    for key, found in grouped(rows).items():
        if all(len(found[peer]) < FEWEST for peer in PEERS):
            continue
        cells = " | ".join(_cell(found[peer], peer) for peer in PEERS)
        quality = np.mean(cost[key], axis=0)
        print(
            f"| {key[0]} | {key[1]} | {key[2]:g} | {cells} | {quality[0]:.1f} | {quality[1]:.3f} | {quality[2]:.1f} |"
        )


def _cell(values: list[float], peer: str) -> str:
    if len(values) < FEWEST:
        return "| | "
    found = summary(values, peer)
    bits = f"{found['bits_right']:.3f} [{found['low']:.3f} to {found['high']:.3f}]"
    return f"{found['images']} | {bits} | {found['as_step']}"


def export(rows: list[dict], path: Path) -> None:
    """What the report knows of it: Kodak, every rung that both peers went through."""
    latent, pixel = ("attacks.diffusion.latent.DiffusionRegeneration", "attacks.diffusion.pixel.PixelDiffusion")
    builds = {
        "diffusion": (latent, {"model": "main"}),
        "diffusion_ancestral": (latent, {"model": "main", "ancestral": True}),
        "diffusion_inversion": (latent, {"model": "main", "inversion": True}),
        "diffusion_rinse4": (latent, {"model": "main", "passes": 4}),
        "diffusion_taesd": (latent, {"model": "attacks.diffusion.models.taesd_model"}),
        "diffusion_pixel": (pixel, {"model": "main", "steps": 3}),
    }
    versions = {row["attack"]: row["version"] for row in rows}
    attacks = []
    for name in (name for name in builds if name in versions):
        rungs = [
            {"strength": key[2], "peers": [summary(found[peer], peer) for peer in PEERS]}
            for key, found in grouped(rows).items()
            if key[:2] == ("Kodak", name) and min(len(found[peer]) for peer in PEERS) >= FEWEST
        ]
        kind, build = builds[name]
        if rungs:
            attacks.append({"class": kind, "version": versions[name], "build": build, "rungs": rungs})
    published = {name: PUBLISHED[name] for name in ("step", *PEERS)}
    known = {"source": PUBLISHED["source"], "published": published, "attacks": attacks}
    path.write_text(json.dumps(known, indent=1) + "\n")


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
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS, help="(default: both)")
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--export", type=Path, help="what the report knows of it")
    args = parser.parse_args()
    rows = [json.loads(line) for line in args.rows.read_text().splitlines()] if args.rows.exists() else []
    if args.table:
        return table(rows)
    if args.figure:
        return figure(rows, args.figure)
    if args.export:
        return export(rows, args.export)
    torch.set_num_threads(1)
    done = {(row["image"], row["peer"], row["attack"], row["strength"]) for row in rows}
    given = [folder for folder in (args.kodak, args.others) if folder]
    folders = [[path for path in folder.iterdir() if path.suffix in {".png", ".webp"}] for folder in given]
    for paths in folders:
        paths.sort(key=lambda path: zlib.crc32(path.name.encode()))
    pictures = [path for path in chain(*zip_longest(*(paths[: args.limit] for paths in folders))) if path]
    with args.rows.open("a") as out:
        for wanted in rounds(args.taesd, args.only):
            for path in pictures:
                for row in measure(path, wanted, done, args.peers):
                    out.write(json.dumps(row) + "\n")
                    out.flush()
    return None


if __name__ == "__main__":
    main()
