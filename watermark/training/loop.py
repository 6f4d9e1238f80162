"""The training loop: any ``TrainableMark`` against any noise, resumable to the bit, on one device or many."""

import logging
import math
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from watermark.errors import UserError
from watermark.images import to_8bit
from watermark.shown import reason
from watermark.training.checkpoint import load, moving_average, save_atomically
from watermark.training.curriculum import Curriculum
from watermark.training.journal import Journal
from watermark.training.model import TrainableMark
from watermark.training.noise import NoisePool
from watermark.training.photos import Crops
from watermark.training.processes import Processes
from watermark.training.validation import Validation

log = logging.getLogger(__name__)
LAST, BEST = "last.pt", "best.pt"


@dataclass
class Schedule:
    """How long and how often.

    Attributes:
        steps: updates in all.
        batch: pictures per process and step.
        warmup: steps of linearly growing learning rate; a cosine to ``floor`` follows.
        floor: share of the learning rate that is left at the end.
        clip: largest gradient norm.
        decay: of the weights' moving average.
        save_seconds: between checkpoints.
        log_every: steps between figures.
        validate_every: steps between examinations.
        precision: ``float32`` or ``bfloat16`` (autocast of the networks; the exact parts stay in float32).
        compile: hand the model's networks to ``torch.compile``.
        patience: updates in a row that may be skipped for a non-finite gradient.
    """

    steps: int = 2000
    batch: int = 8
    warmup: int = 50
    floor: float = 0.02
    clip: float = 1.0
    decay: float = 0.99
    save_seconds: float = 120.0
    log_every: int = 20
    validate_every: int = 200
    precision: str = "float32"
    compile: bool = False
    patience: int = 25

    def rate(self, step: int) -> float:
        """Share of the peak learning rate for update ``step``, counted from 0."""
        warm = min(1.0, (step + 1) / max(1, self.warmup))
        cosine = 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return warm * (self.floor + (1 - self.floor) * cosine)


class Trainer:
    """Everything that a step needs, built from configuration.

    Args:
        model: what learns.
        optimiser: from the model to an optimiser; its learning rates are the peaks of the schedule.
        crops: training pictures.
        noise: the noise layer.
        curriculum: embedding quality by skill.
        loss: from logits and message to ``(N,)``.
        quality: from images and marked images to a penalty ``(N,)``.
        validation: the examination.
        schedule: how long and how often.
        folder: where checkpoints and figures go.
        seed: of everything random.
        processes: this process's place.
    """

    def __init__(
        self,
        model: TrainableMark,
        optimiser: Callable[[TrainableMark], torch.optim.Optimizer],
        crops: Crops,
        noise: NoisePool,
        curriculum: Curriculum,
        loss: nn.Module,
        quality: nn.Module,
        validation: Validation,
        schedule: Schedule,
        folder: Path,
        seed: int = 0,
        processes: Processes | None = None,
    ) -> None:
        self.processes = processes or Processes.start()
        device = self.processes.device
        layout = torch.channels_last if device.type == "cuda" else torch.contiguous_format
        self.model = model.to(device=device, memory_format=layout)  # type: ignore[call-overload]
        self.average = moving_average(self.model, schedule.decay)
        self.optimiser = optimiser(self.model)
        self.rates = LambdaLR(self.optimiser, schedule.rate)
        self.crops, self.noise, self.curriculum, self.validation = crops, noise, curriculum, validation
        self.loss, self.quality, self.schedule, self.folder, self.seed = loss, quality, schedule, folder, seed
        self.step, self.best, self.skipped, self.seconds = 0, -math.inf, 0, 0.0
        self._stop = False
        if schedule.compile:
            self.model.compile_networks()

    # ---- one run ---------------------------------------------------------------------------------------------------

    def run(self, until: int | None = None) -> float:
        """Train to the end (or to step ``until``), from the last checkpoint if there is one; returns the best score.

        Raises:
            UserError: out of memory, or too many updates in a row without a finite gradient; the last good checkpoint
                stays and the same command goes on from it.
        """
        self.resume()
        end = min(until or self.schedule.steps, self.schedule.steps)
        journal = Journal(self.folder, self.schedule.steps, self.step) if self.processes.rank == 0 else None
        before = self._catch_signals()
        saved = time.monotonic()
        try:
            if self.step == 0:
                self._examine(journal)
            while self.step < end and not any(self.processes.gather(self._stop)):
                figures = self._update()
                if journal is not None:
                    turn = self.step % self.schedule.log_every == 0
                    if turn:
                        journal.write(self.step, "train", figures)
                    if turn or journal.overdue():
                        journal.progress(self.step, figures)
                if self.step % self.schedule.validate_every == 0 or self.step == self.schedule.steps:
                    self._examine(journal)
                if time.monotonic() - saved > self.schedule.save_seconds:
                    self.save()
                    saved = time.monotonic()
        except torch.OutOfMemoryError as error:
            raise UserError(f"out of memory at step {self.step}; lower schedule.batch and run again") from error
        finally:
            if journal is not None:
                journal.close()
            for number, handler in before.items():
                signal.signal(number, handler)
        self.save()
        return self.best

    def _update(self) -> dict[str, Any]:
        began = time.monotonic()
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + self.step) * 4096 + self.processes.rank)
        total, figures, names, losses = self._forward(generator)
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        self.processes.average_gradients(self.model)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.schedule.clip)
        self.step += 1
        if torch.isfinite(norm):
            self.optimiser.step()
            self.average.update_parameters(self.model)
            self.skipped = 0
        else:
            self.skipped += 1
            log.warning("step %d skipped: the gradient is not finite (%d in a row)", self.step, self.skipped)
            if self.skipped > self.schedule.patience:
                raise UserError(f"{self.skipped} updates in a row without a finite gradient; lower the learning rate")
        self.rates.step()
        for other_names, other_losses, accuracy in self.processes.gather((names, losses, figures["accuracy"])):
            self.noise.learn(other_names, other_losses)
            if math.isfinite(accuracy):
                self.curriculum.learn(accuracy)
        self.seconds += time.monotonic() - began
        figures |= {"norm": float(norm), "skill": self.curriculum.skill, "progress": self.curriculum.progress}
        return figures | {"layers": {name: round(value, 3) for name, value in self.noise.running.items()}}

    def _forward(self, generator: torch.Generator) -> tuple[torch.Tensor, dict[str, Any], list[str], list[float]]:
        device, count = self.processes.device, self.schedule.batch
        images = self.crops.batch(count, generator).to(device, non_blocking=True)
        message = (torch.rand(count, self.model.message_bits, generator=generator) < 0.5).to(device)
        psnr = self.curriculum.psnr(count, generator).to(device)
        half = self.schedule.precision == "bfloat16"
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            marked = self.model.mark(images, message, psnr, generator)
            clean = marked.images.float().clamp(0, 1)
            attacked, names = self.noise(to_8bit(clean), self.curriculum.skill, generator)
            logits, extra = self.model.read(to_8bit(attacked), marked, generator)
        lost = self.loss(logits.float(), message)
        ugly = self.quality(images, clean)
        total = (lost + extra + ugly).mean()
        right = ((logits > 0) == message).float().mean()
        parts = {"loss": total, "lost": lost.mean(), "extra": extra.mean(), "quality": ugly.mean(), "accuracy": right}
        return total, {name: float(value.detach()) for name, value in parts.items()}, names, lost.detach().tolist()

    def _examine(self, journal: Journal | None) -> None:
        """Rank 0 examines the averaged weights and keeps the best."""
        if journal is None:
            return
        score, figures, shown = self.validation(cast(TrainableMark, self.average.module), self.processes.device)
        journal.write(self.step, "validation", {"score": score, "attacks": figures})
        journal.pictures(self.step, shown)
        medians = " ".join(f"{name} {z['z_median']:.1f}/{z['z_tenth']:.1f}" for name, z in figures.items())
        log.info("step %d examined: score %.4f; z median/tenth: %s", self.step, score, medians)
        values = self.average.module.state_dict()
        if score > self.best and all(bool(value.isfinite().all()) for value in values.values()):
            self.best = score
            save_atomically({"step": self.step, "score": score, "values": values}, self.folder / BEST)

    # ---- checkpoints -----------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "rates": self.rates.state_dict(),
            "average": self.average.state_dict(),
            "curriculum": {"skill": self.curriculum.skill, "progress": self.curriculum.progress},
            "noise": dict(self.noise.running),
            "random": torch.get_rng_state(),
            "best": self.best,
            "skipped": self.skipped,
            "seconds": self.seconds,
            "seed": self.seed,
        }

    def save(self) -> None:
        """Write the last checkpoint, unless the weights are broken; rank 0 only."""
        if self.processes.rank:
            return
        if all(bool(value.isfinite().all()) for value in self.model.state_dict().values()):
            save_atomically(self.state(), self.folder / LAST)

    def resume(self) -> None:
        """Go on from the last checkpoint of the folder, if there is one."""
        path = self.folder / LAST
        if not path.exists():
            return
        state = load(path, "seed", "model", "optimiser", "average", "curriculum", "noise", "random", "step", "best")
        if state["seed"] != self.seed:
            raise UserError(f"{path} was begun with seed {state['seed']}, got seed {self.seed}; give another folder")
        try:
            self._take(state)
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise UserError(f"{path}: does not fit this training ({reason(error)}); give another folder") from None
        log.info("resumed %s at step %d", path, self.step)

    def _take(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.rates.load_state_dict(state["rates"])
        self.average.load_state_dict(state["average"])
        self.curriculum.skill, self.curriculum.progress = state["curriculum"]["skill"], state["curriculum"]["progress"]
        self.noise.running = dict(state["noise"])
        torch.set_rng_state(state["random"])
        self.step, self.best, self.skipped = int(state["step"]), state["best"], state["skipped"]
        self.seconds = state["seconds"]

    def _catch_signals(self) -> dict[int, Any]:
        """On SIGTERM or SIGINT finish the step, save and leave; only the main thread may install handlers."""

        def stop(*_: Any) -> None:
            self._stop = True

        try:
            return {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        except ValueError:
            return {}
