"""Who measured what with which tools: the manifest that goes beside the rows."""

import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from PIL import features

from watermark.evaluation.agreement import rounding
from watermark.evaluation.job import QUALITY, Job
from watermark.metrics.perceptual import fingerprints

LIBRARIES = (
    *("torch", "torchvision", "numpy", "scipy", "scikit-image", "PyWavelets", "pillow", "opencv-python-headless"),
    *("hydra-core", "pyarrow"),
)
CODECS = {"libjpeg": "jpg", "libjpeg-turbo": "libjpeg_turbo", "webp": "webp", "avif": "avif", "openjpeg": "jpg_2000"}


def manifest(job: Job) -> dict[str, Any]:
    """Everything a stranger needs to repeat the run, as plain JSON values."""
    infos = job.images.infos
    return {
        "format": 1,
        "command": shlex.join([*Path(sys.argv[0]).name.split(), *sys.argv[1:]]),
        "job_key": job.key_hash,
        "config": job.config,
        "git": git_state(),
        "versions": versions(),
        "device": device_name(job.device),
        "rounding": rounding(job.device),
        "threads": torch.get_num_threads(),
        "seeds": {"run": job.seed},
        "data": {
            "name": job.images.name,
            "manifest_hash": job.images.manifest_hash(),
            "unreadable": sum(info.width == 0 for info in infos),
            "images": [
                {"id": i.id, "class": i.image_class, "width": i.width, "height": i.height, "sha256": i.sha256}
                for i in infos
            ],
        },
        "schemes": {name: _scheme_facts(job, name) for name in job.config["schemes"]},
        "attacks": _attack_facts(job),
        "layout": dict(vars(job.layout)),
        "false_positive_rate": job.config["false_positive_rate"],
        "misattribution_rate": job.misattribution_rate,
        "perceptual": fingerprints([name for name in job.quality if name not in QUALITY]),
    }


def _scheme_facts(job: Job, name: str) -> dict[str, Any]:
    settings = {k: v for k, v in job.config["schemes"][name].items() if k != "_target_"}
    if name in job.outside:
        return {
            "class": job.config["schemes"][name]["_target_"],
            "message_bits": job.outside[name].message_bits,
            "target_psnr": None,
            "settings": settings,
            "weights_sha256": None,
            "outside": True,
        }
    scheme = job.marker(name).scheme
    return {
        "class": job.config["schemes"][name]["_target_"],
        "message_bits": scheme.message_bits,
        "target_psnr": scheme.target_psnr,
        "settings": settings,
        "weights_sha256": scheme.weights_sha256,
    }


def _attack_facts(job: Job) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for cell in job.cells:
        if cell.attack is None:
            continue
        kind = type(cell.attack)
        entry = facts.setdefault(
            cell.name,
            {
                "class": f"{kind.__module__}.{kind.__qualname__}",
                "parameter": cell.parameter,
                "sweep": [],
                "unit": kind.unit,
                "harder": cell.attack.harder,
                "geometric": cell.attack.geometric,
                "differentiable": cell.attack.differentiable,
                "version": kind.version,
                "reproduces": kind.reproduces,
                "family": kind.family,
                "identity": kind.neutral,
            },
        )
        if cell.search is not None:
            entry |= {"axis": vars(cell.search.axis), "readings": cell.search.readings}
        if cell.strength is not None:
            entry["sweep"].append(cell.strength)
    return facts


def versions() -> dict[str, str | None]:
    """Python, libraries, and the codecs that JPEG and WebP results depend on."""
    found: dict[str, str | None] = {"python": platform.python_version(), "platform": platform.platform()}
    for name in ("robust-watermark", *LIBRARIES):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found | {name: _codec_version(feature) for name, feature in CODECS.items()}


def _codec_version(feature: str) -> str | None:
    try:
        return features.version(feature)
    except ValueError:
        return None


def device_name(device: torch.device) -> str:
    """The device in words, for example ``cpu (AMD EPYC)``."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{device} ({model})"


def git_state() -> dict[str, Any]:
    """Commit and whether tracked files differ from it; nulls outside of a clone."""
    folder = Path(__file__).resolve().parent

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}
