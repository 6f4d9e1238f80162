"""Bars with the time left, on the standard error.

Answers go to the standard output, wherever that leads: a bar never takes them along. Rich would, for it prints
everything above the bar, which is on the terminal even where the answers go to a file.
"""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

Item = TypeVar("Item")


def console() -> Console:
    """The standard error; long lines stay lines."""
    return Console(stderr=True, soft_wrap=True, highlight=False)


def bar(*columns: ProgressColumn | str, console: Console, **settings: float) -> Progress:
    """A bar that leaves answers which go to a file alone.

    Args:
        *columns: what it shows.
        console: where.
        **settings: of ``rich.progress.Progress``.
    """
    return Progress(*columns, console=console, redirect_stdout=sys.stdout.isatty(), **settings)  # type: ignore[arg-type]


def followed(items: Iterable[Item], title: str, total: int) -> Iterator[Item]:
    """The items one by one, with a bar if there is more than one and somebody at a terminal."""
    error = console()
    if total == 1 or not error.is_terminal:
        yield from items
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("left"))
    with bar(*columns, TimeRemainingColumn(), console=error) as progress:
        yield from progress.track(items, total=total, description=title)
