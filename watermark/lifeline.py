"""Processes that end with the one that started them, however that ends: a killed parent cannot tell its children."""

import importlib
import multiprocessing
import os
import threading
import time
from typing import Any

ORPHANED = 70
"""Exit status of a process that lost its parent."""
POLL_SECONDS = 1.0


def end_with_parent() -> None:
    """End this process, at once and without clean-up, as soon as its parent is gone; returns immediately.

    A child of ``multiprocessing`` waits on a pipe whose other end the parent holds: it closes with the parent, even
    before this call. Any other child asks whose child it is, once a second.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        waiting = threading.Thread(target=_wait_for_pipe, args=(parent,), daemon=True)
    else:
        waiting = threading.Thread(target=_ask, args=(os.getppid(),), daemon=True)
    waiting.start()


def begin(module: str, name: str, *arguments: Any) -> None:
    """The initialiser of a process pool: tie this process to its parent, then import and call ``module.name``.

    By name, so that what takes seconds to import (torch) is imported with the line already tied; ``arguments`` should
    be plain values for the same reason.
    """
    end_with_parent()
    getattr(importlib.import_module(module), name)(*arguments)


def _wait_for_pipe(parent: "multiprocessing.process.BaseProcess") -> None:
    parent.join()
    os._exit(ORPHANED)


def _ask(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    os._exit(ORPHANED)
