"""How much memory something took at its worst moment: of this process on a CPU, of the allocator on a GPU."""

import sys
from pathlib import Path

import torch


def reset_peak(device: torch.device) -> None:
    """Forget earlier peaks where the system can (CUDA, Linux); elsewhere a peak is that of the process so far."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_bytes(device: torch.device) -> int:
    """Peak since the last reset: resident memory of the process, libraries included, or memory allocated by CUDA."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        import resource  # not on every system

        largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return largest if sys.platform == "darwin" else largest * 1024
