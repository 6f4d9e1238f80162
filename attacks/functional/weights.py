"""Weights of a small network in one safetensors file, with the numbers that rebuild it as metadata."""

from pathlib import Path

from safetensors import safe_open
from torch import Tensor


def read(path: str | Path, what: str) -> tuple[dict[str, int], dict[str, Tensor]]:
    """The sizes and the float32 state that a file holds.

    Args:
        path: of the file.
        what: whose weights they are, for the error.

    Raises:
        FileNotFoundError: if ``path`` is not a file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"expected {what} weights (.safetensors) at {path}, found no file")
    with safe_open(str(path), framework="pt") as file:
        sizes = {name: int(value) for name, value in (file.metadata() or {}).items()}
        return sizes, {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 - not a dict
