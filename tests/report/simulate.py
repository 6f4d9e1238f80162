"""A run folder made from known truth, so that every number of the report can be checked."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from scipy import stats

from watermark.evaluation.axis import Axis, search
from watermark.evaluation.parts import sample_folder
from watermark.evaluation.records import arrow_schema

BITS = 256
ATTACKS = {
    "identity": {"parameter": None, "sweep": [None], "unit": "", "harder": "higher", "geometric": False},
    "jpeg": {"parameter": "quality", "sweep": [90, 50, 10], "unit": "quality 1..100", "harder": "lower"},
    "noise": {"parameter": "sigma", "sweep": [0.02, 0.05, 0.1], "unit": "sigma, picture in 0..1", "harder": "higher"},
    "rotate": {"parameter": "angle", "sweep": [-9, -1, 1, 9], "unit": "degrees", "harder": "away", "geometric": True},
    "crop": {
        "parameter": "area",
        "sweep": [0.9, 0.5],
        "unit": "share of the area kept of the picture; negative: cut off by hand at one border",
        "harder": "lower",
        "geometric": True,
    },
}
STRENGTH = {"steady": 1.6, "average": 1.05, "fragile": 0.8}
"""Signal per bit before the attack, in units of the noise per bit."""
SOFTER = {"identity": 0, "jpeg": 0.22, "noise": 0.15, "rotate": 0.1, "crop": 0.35}


AXES = {"jpeg": Axis("log", 95, 1, 1), "noise": Axis("log", 0.005, 0.8), "crop": Axis("log", 0.95, 0.01)}
"""Attacks that ``simulate_search`` searches."""
BREAKS = {"steady": {"jpeg": 0.7, "noise": 2.0, "crop": 0.8}, "fragile": {"jpeg": 0.4, "noise": 0.5, "crop": -1.0}}
"""Level of a searched axis at which a scheme breaks; over 1 never, below 0 at once. Pictures differ by a little."""


def log10_tail_bound(score):
    """log10 of min(1, exp(-s^2 / 2), 3.178 Q(s)): a detector's promise for any picture."""
    gaussian = (np.log(3.178) + stats.norm.logsf(score)) / np.log(10)
    return float(min(-(score**2) / (2 * np.log(10)), gaussian, 0.0)) if score > 0 else 0.0


@dataclass
class Simulation:
    """What to simulate."""

    photos: int = 12
    hard: int = 4
    schemes: dict = field(default_factory=lambda: dict(STRENGTH))
    seed: int = 0
    failures: int = 0
    logits: bool = True
    samples: bool = True


def simulate(path: Path, plan: Simulation | None = None) -> Path:
    """Write a run folder and return it."""
    plan = plan or Simulation()
    path.mkdir(parents=True, exist_ok=True)
    images = _images(plan)
    rng = np.random.default_rng(plan.seed)
    rows = [
        _row(rng, plan, image, scheme, attack, rung, strength, marked)
        for image in images
        for scheme in plan.schemes
        for attack, facts in ATTACKS.items()
        for rung, strength in enumerate(facts["sweep"])
        for marked in (True, False)
    ]
    for row in rows[3 :: max(1, len(rows) // plan.failures)][: plan.failures] if plan.failures else ():
        row |= {"error": "ValueError: simulated", "is_marked": False, "log10_p": None, "payload_ok": None}
    pq.write_table(pa.Table.from_pylist(rows, schema=arrow_schema()), path / "rows.parquet")
    pq.write_table(pa.Table.from_pylist(_costs(plan)), path / "costs.parquet")
    (path / "manifest.json").write_text(json.dumps(_manifest(plan, images), indent=1))
    if plan.samples:
        _samples(path, plan, images)
    return path


def breaks_at(scheme: str, attack: str, place: int) -> float:
    """The level at which the picture of that number loses the mark of ``simulate_search``."""
    return BREAKS[scheme][attack] + 0.02 * (place % 5)


def simulate_search(path: Path, photos: int = 6, hard: int = 2, *, ladder: bool = False, shift: float = 0) -> Path:
    """A run that searched, of two schemes with known breaking points; with ``ladder`` rotation has rungs beside."""
    plan = Simulation(photos, hard, {name: STRENGTH[name] for name in BREAKS}, logits=False, samples=False)
    path.mkdir(parents=True, exist_ok=True)
    images, rng, rows = _images(plan), np.random.default_rng(1), []
    for place, image in enumerate(images):
        for scheme in BREAKS:
            rows += [_row(rng, plan, image, scheme, "identity", 0, None, marked) for marked in (True, False)]
            rows += [_row(rng, plan, image, scheme, "rotate", k, k + 1, True) for k in range(2 * ladder)]
            for attack, axis in AXES.items():
                rows.append(_row(rng, plan, image, scheme, attack, 2, axis.harsh, False))
                row = _row(rng, plan, image, scheme, attack, 1, 0, True)
                rows += _searched(row, axis, breaks_at(scheme, attack, place) + shift)
    pq.write_table(pa.Table.from_pylist(rows, schema=arrow_schema()), path / "rows.parquet")
    pq.write_table(pa.Table.from_pylist(_costs(plan)), path / "costs.parquet")
    manifest = _manifest(plan, images)
    facts = manifest["attacks"]
    for attack, axis in AXES.items():
        facts[attack] |= {"axis": vars(axis), "readings": 8, "sweep": [axis.harsh]}
    manifest["attacks"] = {name: facts[name] for name in ("identity", *AXES, *["rotate"] * ladder)}
    (path / "manifest.json").write_text(json.dumps(manifest, indent=1))
    return path


def _searched(row: dict, axis: Axis, broken: float) -> list[dict]:
    """The readings of one search, of a mark that is lost from a level on."""
    rows = []

    def survives(strength: float) -> bool:
        level = axis.level(strength)
        found = level < broken
        damage = row["attack_psnr"] and 40 - 20 * level
        answer = {"is_marked": found, "payload_ok": found, "log10_p": min(0.0, -6 - 50 * (broken - level))}
        rows.append({**row, **answer, "attack_psnr": damage, "strength": float(strength)})
        return found

    search(axis, 8, survives)
    return rows


def _images(plan: Simulation) -> list[dict]:
    natural = [("photo", f"photo_{i:03d}.png", 768, 512) for i in range(plan.photos)]
    hard = [(("text", "flat", "dark")[i % 3], f"hard_{i:03d}.png", 512, 640) for i in range(plan.hard)]
    return [{"id": n, "class": c, "width": w, "height": h, "sha256": "0" * 64} for c, n, w, h in natural + hard]


def _row(rng, plan, image, scheme, attack, rung, strength, marked) -> dict:
    hard = image["class"] != "photo"
    signal = max(0.0, plan.schemes[scheme] * (1 - SOFTER[attack] * (rung + (attack != "identity"))))
    signs = rng.choice([-1.0, 1.0], BITS)
    logits = rng.normal(size=BITS) + marked * signal * (0.6 if hard else 1.0) * signs
    score = float(signs @ logits / np.linalg.norm(logits))
    log10_expected = log10_tail_bound(score)
    log10_p = min(0.0, log10_expected + 52 * np.log10(2))
    found = log10_p <= -6
    ids = (int(rng.integers(4096)), int(rng.integers(2**40)))
    right = found and marked
    geometric = ATTACKS[attack].get("geometric", False)
    return {
        "image": image["id"],
        "image_class": image["class"],
        "width": image["width"],
        "height": image["height"],
        "scheme": scheme,
        "attack": attack,
        "parameter": ATTACKS[attack]["parameter"],
        "strength": None if strength is None else float(strength),
        "attack_version": 1,
        "key": 0,
        "seed": rung,
        "marked": marked,
        "embedded": True,
        "provider_id": ids[0],
        "content_id": str(ids[1]),
        "message_bits": BITS,
        "bit_errors": int(np.sum((logits > 0) != (signs > 0))),
        "log10_p": log10_p,
        "is_marked": found,
        "log10_p_expected": log10_expected,
        "decoded_provider_id": ids[0] if found else None,
        "decoded_content_id": str(ids[1]) if found else None,
        "log10_doubt": -9.0 if found else None,
        "payload_ok": right if marked else None,
        "readings": 1,
        "psnr": 42 + float(rng.normal(0, 0.1)) if marked else None,
        "ssim": 0.99 if marked else None,
        "worst_tile_psnr": 36.0 if marked else None,
        "attack_psnr": None if geometric else float(40 - 4 * rung - rng.random()),
        "attack_ssim": None if geometric else float(0.98 - 0.08 * rung),
        "logits": (logits / np.sqrt(np.mean(logits**2))).astype("<f2").tobytes() if plan.logits else None,
        "error": None,
    }


def _costs(plan: Simulation) -> list[dict]:
    cost = {"unit": "u0", "images": 16, "pixels": 16 * 768 * 512}
    rows = [cost | {"scheme": s, "stage": "embed", "attack": None, "seconds": 3.2} for s in plan.schemes]
    for attack in ATTACKS:
        rows.append(cost | {"scheme": None, "stage": "attack", "attack": attack, "seconds": 0.8})
        rows += [cost | {"scheme": s, "stage": "decode", "attack": attack, "seconds": 1.6} for s in plan.schemes]
    return rows


def _manifest(plan: Simulation, images: list[dict]) -> dict:
    common = {"class": "simulated", "geometric": False, "differentiable": False, "version": 1, "identity": None}
    return {
        "command": "watermark evaluate suite=simulated",
        "job_key": "0123456789abcdef",
        "config": {"seed": plan.seed, "suite": "simulated"},
        "git": {"commit": "f" * 40, "dirty": False},
        "versions": {"python": "3.11.7", "torch": "2.11.0"},
        "device": "cpu",
        "threads": 1,
        "seeds": {"run": plan.seed},
        "data": {"name": "simulated", "manifest_hash": "a" * 64, "images": images},
        "schemes": {
            s: {"message_bits": BITS, "target_psnr": 42.0, "settings": {}, "weights_sha256": None} for s in plan.schemes
        },
        "attacks": {n: common | facts | {"reproduces": "a simulated attack"} for n, facts in ATTACKS.items()},
        "layout": {"name": "l64", "version": 4, "provider": 12, "content": 40, "check": 16},
        "false_positive_rate": 1e-6,
        "misattribution_rate": 1e-4,
        "wall_seconds": 12.5,
        "counts": {"images": len(images)},
        "failures": [],
    }


def _samples(path: Path, plan: Simulation, images: list[dict]) -> None:
    rng = np.random.default_rng(1)
    for scheme in plan.schemes:
        folder = sample_folder(path, scheme, images[0]["id"])
        (folder / "attacked").mkdir(parents=True)
        names = ["original", "marked", "residual10"]
        names += [f"attacked/{a}-{f['sweep'][-1]}" for a, f in ATTACKS.items() if a != "identity"]
        y, x = np.mgrid[0:120, 0:180]
        for name in names:
            picture = np.stack([x + y, 2 * y, 255 - x], -1) % 256 + rng.normal(0, 4, (120, 180, 3))
            Image.fromarray(picture.clip(0, 255).astype("uint8")).save(folder / f"{name}.webp", quality=60)


def change_rows(path: Path, change) -> None:
    """Read the rows as a list of dictionaries, let ``change`` edit each in place, and write them back."""
    rows = pq.read_table(path / "rows.parquet").to_pylist()
    for row in rows:
        change(row)
    pq.write_table(pa.Table.from_pylist(rows, schema=arrow_schema()), path / "rows.parquet")


def keep_rows(path: Path, keep) -> None:
    """Drop the rows of which ``keep`` does not say True."""
    rows = [row for row in pq.read_table(path / "rows.parquet").to_pylist() if keep(row)]
    pq.write_table(pa.Table.from_pylist(rows, schema=arrow_schema()), path / "rows.parquet")
