"""`watermark evaluate`: Hydra composes what to measure, ``watermark.evaluation`` measures it, the report is built.

What measures is imported when the words have composed: a typo is told at once.
"""

import re
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from watermark.cli import EXIT_INTERRUPTED
from watermark.cli.hydra_verb import run_hydra, tell_typed
from watermark.cli.progress import bar as bar_of
from watermark.cli.progress import console as standard_error
from watermark.config import compose, default_names
from watermark.errors import UserError
from watermark.evaluation.config import EvaluateConfig, plain
from watermark.hydra_search import running_folders
from watermark.shown import reason

if TYPE_CHECKING:
    from watermark.evaluation.job import Job


def main(argv: Sequence[str]) -> int:
    """Run Hydra on the words after ``evaluate``."""
    with _terminated_as_interrupted():
        return run_hydra("evaluate", argv, EvaluateConfig, _evaluate)


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM, as `kill` and SLURM send it, ends a run as Ctrl-C does; only the main thread may install handlers.

    The first one counts. `timeout` sends a second through `uv run`, which must not cut short what the first began.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # and stays so: this process is ending
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is stop:
            signal.signal(signal.SIGTERM, before)


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
        raise SystemExit(tell_typed(UserError(reason(error)))) from None
    except KeyboardInterrupt:
        print("watermark: interrupted; what is done is kept, and the same command goes on from here", file=sys.stderr)
        raise SystemExit(EXIT_INTERRUPTED) from None
    except Exception as error:
        raise SystemExit(tell_typed(error)) from None
    console = Console()
    console.print(print_summary(folder))
    console.print(f"Report: {report}", soft_wrap=True, highlight=False)


def resolve(config: DictConfig) -> dict[str, Any]:
    """The composed configuration with ``schemes`` filled in: name to that scheme's configuration."""
    from watermark.evaluation.job import is_outside

    choices = HydraConfig.get().runtime.choices
    resolved = plain(config)
    check_read(HydraConfig.get().overrides.task, resolved["suite"])
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


def check_read(words: Sequence[str], suite: dict[str, Any]) -> None:
    """Refuse words that would change nothing: a search reads an attack's axis, a ladder its sweep.

    Raises:
        UserError: saying how the other of the two is asked for.
    """
    for word in words:
        found = re.match(r"\+{0,2}suite\.([^.=]+)\.(sweep|axis)[.=]", word)
        entry = suite.get(found[1]) if found else None
        if not found or not isinstance(entry, dict):
            continue
        searched = entry.get("search") is not None
        if searched and found[2] == "sweep":
            said = f"say suite.{found[1]}.search=null too, or a suite of ladders such as suite=quick"
            raise UserError(f"{word}: this suite searches {found[1]} and reads no rungs; {said}")
        if not searched and found[2] == "axis":
            said = f"say +suite.{found[1]}.search=6 too, or suite=breaking"
            raise UserError(f"{word}: this suite reads rungs of {found[1]} and searches no axis; {said}")


def _scheme(name: str, more: list[Path]) -> dict[str, Any]:
    try:
        return compose("scheme", name, more=more)
    except ValueError as error:
        raise UserError(f"schemes: {error}") from None


def _run_with_progress(job: "Job") -> Path:
    from watermark.evaluation.run import run, run_folder

    console = standard_error()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    bar, told = bar_of(*columns, console=console), -1

    def tell_progress(done: int, total: int) -> None:
        """First called when every scheme and attack was built: what is wrong with them is told before the bar.

        In a log a line for each tenth of the work takes the place of the bar.
        """
        nonlocal told
        if not bar.tasks:
            for note in job.images.notes:
                console.print(f"note: {note}", markup=False)
            console.print(f"{_counts(job)} -> {run_folder(job)}", markup=False)
            bar.add_task("Measuring")
            if console.is_terminal:
                bar.start()
        bar.update(bar.tasks[0].id, completed=done, total=total)
        if not console.is_terminal and 10 * done // max(total, 1) > told:
            told = 10 * done // max(total, 1)
            console.print(f"Measuring: {done} of {total} cells", markup=False)
        if done >= total:
            console.print("Measuring is done; now the report", markup=False)

    try:
        return run(job, tell_progress)
    finally:
        if bar.tasks and console.is_terminal:
            bar.stop()


def _counts(job: "Job") -> str:
    """``6 pictures, 7 schemes, 8 cells each, marked and 2 of the pictures unmarked``: what is about to be done.

    One scheme is named, and so is a seed that was chosen: of several runs each line then says which it is of.
    """
    from watermark.report.wording import plural

    schemes, seed = list(job.config["schemes"]), job.config["seed"]
    named = f"{schemes[0]}, " if len(schemes) == 1 else f"{plural(len(schemes), 'scheme')}, "
    drawn = f"{job.config['cells'] + 1} of " if job.drawn else ""
    fewer = len(job.unmarked) < len(job.images.infos)
    some = f" and {len(job.unmarked)} of the pictures unmarked" if job.unmarked else ", none unmarked"
    counts = f"{plural(len(job.images.infos), 'picture')}, {named}{drawn}{plural(len(job.cells), 'cell')} each"
    return f"{counts}, marked{some if fewer else ' and unmarked'}{f', seed {seed}' if seed else ''}"
