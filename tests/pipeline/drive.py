"""A driver to kill: ``python drive.py FOLDER ENGINE SECONDS``."""

import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from pipeline_fakes import job

from watermark.pipeline import executors, run

if __name__ == "__main__":
    folder, engine, seconds = Path(sys.argv[1]), getattr(executors, sys.argv[2]), float(sys.argv[3])
    run(job(folder, seconds=seconds), partial(engine, workers=1), lambda *_: nullcontext(lambda _: None))
