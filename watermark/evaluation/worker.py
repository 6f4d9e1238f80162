"""One process of an evaluation: builds each scheme once, measures units, keeps their rows and pictures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from watermark.data.images import ImageInfo
from watermark.evaluation.cells import Damages, UnitRun
from watermark.evaluation.job import Job
from watermark.evaluation.plan import Unit
from watermark.evaluation.store import RunStore
from watermark.evaluation.threads import one_thread
from watermark.metrics.seen import flip_map
from watermark.schemes.outside import OutsideMark
from watermark.watermarker import Watermarker


class Worker:
    """Measures units of one job into one folder.

    Args:
        config: the job's resolved configuration.
        folder: the run folder.
        infos: the description of the job's pictures.
        tick: called after every cell.
    """

    def __init__(self, config: dict[str, Any], folder: Path, infos: list[ImageInfo], tick: Callable[[], None]) -> None:
        self.job, self.store, self.tick = Job(config), RunStore(folder), tick
        self.job.images.adopt(infos)
        self.markers: dict[tuple[str, int], Watermarker | OutsideMark] = {}
        self.damages: Damages = {}

    def do(self, unit: Unit) -> None:
        """Measure one unit; its rows are written last, so an interrupted unit is one that was never done."""
        which = unit.scheme, unit.key
        if which not in self.markers:
            self.markers[which] = self.job.subject(*which)
        with one_thread(self.job.device):
            measured = UnitRun(self.job, unit, self.markers[which], self.damages).measure(self.tick)
        self._keep_samples(unit, measured.pictures)
        self.store.keep(unit, measured)

    def _keep_samples(self, unit: Unit, pictures: dict[str, Tensor]) -> None:
        first = unit.scheme == next(iter(self.job.config["schemes"]))
        kept = {name: p for name, p in pictures.items() if first or not name.startswith("attacked/")}
        for position, index in enumerate(unit.indices):
            if pictures and unit.key == 0 and index in self.job.sampled:
                own = {name: picture[position] for name, picture in kept.items()}
                if "flip" in self.job.quality and own["marked"].shape == own["original"].shape:
                    seen = flip_map(own["marked"][None], own["original"][None])
                    own["visibility10"] = (10 * seen).clamp(0, 1).expand(3, -1, -1)
                self.store.keep_pictures(unit.scheme, self.job.images.infos[index].id, own)


_here: Worker | None = None


def start(config: dict[str, Any], folder: Path, infos: list[tuple[Any, ...]], ticks: Any) -> None:
    """Set up this process of a pool; ``infos`` as plain tuples, see ``lifeline.begin``."""
    global _here
    _here = Worker(config, folder, [ImageInfo(*info) for info in infos], lambda: ticks.put(1))


def do(unit: Unit) -> None:
    """Measure one unit in this process.

    Raises:
        RuntimeError: if the process was not started.
    """
    if _here is None:
        raise RuntimeError("expected start() before do()")
    _here.do(unit)
