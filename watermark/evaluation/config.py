"""The scalars of ``watermark evaluate``, typed."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue

from watermark.errors import UserError


@dataclass
class EvaluateConfig:
    """The scalars of ``watermark evaluate``; groups (scheme, suite, data, layout) are composed beside them."""

    schemes: list[str] | None = None
    """Names under configs/scheme; None: ``scheme`` if one was chosen, else all there are."""
    target_psnr: float | None = None
    """Embed every scheme at this quality, dB; None: as each scheme is configured."""
    protocol: str = "own"
    """``own``: each scheme as configured, or at ``target_psnr``; ``matched``: all at the quality of the next two."""
    matched_by: str = "psnr"
    """``psnr``, ``ssim``, or a perceptual score: ``ssimulacra2``, ``flip``, ``cvvdp``, ``lpips``, ``dists``."""
    matched_at: float | None = None
    """Its value: 34 to 50 dB are usual; None: 42 dB, SSIM .985, SSIMULACRA2 75, FLIP .04, CVVDP 9.75."""
    false_positive_rate: float = 1e-6
    misattribution_rate: float = 1e-4
    """IDs of a marked picture are named only where the chance that they are another's is at most this."""
    search: str = "quick"
    """``quick``, as every door does unless asked: says no early where nothing looks like a mark; or ``thorough``."""
    seed: int = 0
    """Decides payloads, keys and attack draws."""
    batch_size: int = 1
    """Images of one size that go through a GPU together; on a CPU they go one by one."""
    device: str = "auto"
    """``cpu``, ``cuda``, ``cuda:1`` or ``auto``: a GPU where there is one."""
    workers: int | None = None
    """Processes; None: one per core on CPU, one on a GPU."""
    shard: str = "1/1"
    """``i/n``: do only the i-th of n equal parts; all parts write into the same run folder."""
    keys: int = 1
    """Every picture is marked under so many keys, each with its own IDs and attack draws; intervals stay by picture."""
    cells: int | None = None
    """So many attacked cells (an attack at one rung) of each picture, dealt evenly by ``seed``, for all schemes
    alike; they come with the unattacked picture. None: all."""
    unmarked: int | None = None
    """Pictures that are measured unmarked too, spread evenly; None: all, but two of the six photographs; 0: none.
    Finding that there is no mark costs a detector several times what finding one does."""
    samples: int = 4
    """Images whose pictures are kept for the report."""
    perceptual: list[str] = field(default_factory=list)
    """``flip``, ``ssimulacra2``, ``cvvdp`` (extra ``perceptual``); ``lpips``, ``dists`` (and torchvision's weights)."""
    localize: bool = False
    """Map the marked pictures, untouched and after every attack that says where it edits (``suite=edits`` turns it on);
    a map costs about what five readings do. Schemes whose marks cannot be located are measured without maps."""
    keep_logits: bool = True
    """Keep soft decisions in the rows (the null diagnostics need them)."""
    output: str = "results/runs"
    name: str | None = None
    """Run folder under ``output``; None: from suite, data and the hash of everything that decides the rows."""
    scheme: Any = None
    suite: Any = MISSING
    data: Any = MISSING
    layout: Any = MISSING


def plain(config: DictConfig) -> dict[str, Any]:
    """The resolved configuration as plain dicts and lists."""
    try:
        return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[return-value]
    except MissingMandatoryValue as error:
        raise UserError(f"{error.full_key}: expected a value; say {error.full_key}=...") from None
