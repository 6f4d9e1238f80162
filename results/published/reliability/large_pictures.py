"""CPU seconds and peak memory of marking one large file: WIDTH HEIGHT SUFFIX [RUNS [PREFLIGHT]].

Each run is a process of its own; without PREFLIGHT (none, quick or thorough) it is none.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image
from skimage import data

from watermark import Watermarker, files
from watermark.mark_file import mark_file


def measure(source: Path, suffix: str, preflight: str) -> None:
    torch.set_num_threads(1)
    files.set_max_pixels(200_000_000)
    marker = Watermarker.load("tile_spread", key="k", device="cpu")
    marker.detect(Image.fromarray(data.chelsea()))
    before = time.process_time()
    made = mark_file(marker, source, source.with_name(f"out.{suffix}"), 1, 2, preflight=preflight, overwrite=True)
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak = int(status["VmHWM"].split()[0]) // 1024  # ru_maxrss counts the process that started this one too
    print(f"{time.process_time() - before:.1f} CPU s, {peak} MiB, {made.psnr:.2f} dB, log10 p {made.log10_p:.0f}")


if __name__ == "__main__":
    if sys.argv[1] == "measure":
        measure(Path(sys.argv[2]), *sys.argv[3:])
    else:
        runs, preflight = [*sys.argv[4:], *("1", "none")[len(sys.argv) - 4 :]]

        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "in.jpg"
            size = int(sys.argv[1]), int(sys.argv[2])
            Image.fromarray(data.chelsea()).resize(size).save(source, quality=90)
            for _ in range(int(runs)):
                subprocess.run([sys.executable, __file__, "measure", str(source), sys.argv[3], preflight], check=True)
