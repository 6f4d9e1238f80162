"""CPU seconds and peak memory of marking one large file: WIDTH HEIGHT SUFFIX; each run is a process of its own."""

import resource
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


def measure(source: Path, suffix: str) -> None:
    torch.set_num_threads(1)
    files.set_max_pixels(200_000_000)
    marker = Watermarker.load("tile_spread", key="k", device="cpu")
    marker.detect(Image.fromarray(data.chelsea()))
    before = time.process_time()
    made = mark_file(marker, source, source.with_name(f"out.{suffix}"), 1, 2, preflight="none")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{time.process_time() - before:.1f} CPU s, {peak} MiB, {made.psnr:.2f} dB, log10 p {made.log10_p:.0f}")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        measure(Path(sys.argv[1]), sys.argv[2])
    else:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "in.jpg"
            size = int(sys.argv[1]), int(sys.argv[2])
            Image.fromarray(data.chelsea()).resize(size).save(source, quality=90)
            subprocess.run([sys.executable, __file__, str(source), sys.argv[3]], check=True)
