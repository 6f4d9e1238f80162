"""`watermark evaluate`: Hydra composes what to measure, ``watermark.evaluation`` measures it, the report is built.

What measures is imported when the words have composed: a typo is told at once.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from watermark.cli import EXIT_INTERRUPTED, tell
from watermark.cli.hydra_verb import run_hydra
from watermark.config import compose, default_names
from watermark.errors import UserError
from watermark.evaluation.config import EvaluateConfig, plain
from watermark.hydra_search import running_folders
from watermark.shown import reason

if TYPE_CHECKING:
    from watermark.evaluation.job import Job


def main(argv: Sequence[str]) -> int:
    """Run Hydra on the words after ``evaluate``."""
    return run_hydra("evaluate", argv, EvaluateConfig, _evaluate)


def _evaluate(config: DictConfig) -> None:
    from watermark.evaluation.job import Job
    from watermark.evaluation.matched import prepared
    from watermark.report import build_report, print_summary

    try:
        job = Job(resolve(config))
        if job.match is not None:
            settings, said = prepared(job)
            print(*(f"watermark: {line}" for line in said), sep="\n", end="\n" if said else "", file=sys.stderr)
            job = Job(settings)
        folder = _run_with_progress(job)
        report = build_report(folder)
    except ValueError as error:
        raise SystemExit(tell(UserError(reason(error)))) from None
    except KeyboardInterrupt:
        print("watermark: interrupted; what is done is kept, and the same command goes on from here", file=sys.stderr)
        raise SystemExit(EXIT_INTERRUPTED) from None
    except Exception as error:
        raise SystemExit(tell(error)) from None
    console = Console()
    console.print(print_summary(folder))
    console.print(f"Report: {report}", soft_wrap=True, highlight=False)


def resolve(config: DictConfig) -> dict[str, Any]:
    """The composed configuration with ``schemes`` filled in: name to that scheme's configuration."""
    from watermark.evaluation.job import is_outside

    choices = HydraConfig.get().runtime.choices
    resolved = plain(config)
    chosen = choices.get("scheme")
    if config.schemes is not None and config.scheme is not None:
        raise UserError("expected scheme=NAME or schemes=[NAME,...], got both")
    if config.scheme is not None:
        schemes = {str(chosen): resolved["scheme"]}
    else:
        more = running_folders()
        names = config.schemes or default_names("scheme", more)
        schemes = {name: _scheme(name, more) for name in names}
    if config.target_psnr is not None:
        for settings in (each for each in schemes.values() if not is_outside(each)):
            settings |= {"target_psnr": config.target_psnr} | ({"step": None} if "step" in settings else {})
    return {**resolved, "schemes": schemes, "scheme": None, "suite_name": str(choices.get("suite"))}


def _scheme(name: str, more: list[Path]) -> dict[str, Any]:
    try:
        return compose("scheme", name, more=more)
    except ValueError as error:
        raise UserError(f"schemes: {error}") from None


def _run_with_progress(job: "Job") -> Path:
    from watermark.evaluation.run import run, run_folder
    from watermark.report.wording import plural

    console = Console(stderr=True)
    sizes = {"picture": len(job.images.infos), "scheme": len(job.config["schemes"]), "cell": len(job.cells)}
    counts = ", ".join(plural(size, noun) for noun, size in sizes.items()) + " each"
    fewer = len(job.unmarked) < len(job.images.infos)
    unmarked = f"{len(job.unmarked)} of the pictures unmarked" if fewer else "unmarked"
    console.print(
        f"{counts}, marked and {unmarked} -> {run_folder(job)}",
        highlight=False,
        soft_wrap=True,
    )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("Measuring")
        return run(job, lambda done, total: progress.update(task, completed=done, total=total))
