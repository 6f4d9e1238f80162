"""One thread for a while: numbers must not depend on how many cores there are, and small tensors gain nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread(device: torch.device | None = None) -> Iterator[None]:
    """Torch works in one thread within; on a ``device`` that is no processor it is left as it was.

    Threads wait for each other after each operation, and where other programs want the cores, that is most of the time.
    """
    threads = torch.get_num_threads()
    if device is None or device.type == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
