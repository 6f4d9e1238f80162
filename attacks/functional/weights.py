"""Weights of a small network in one safetensors file, with the numbers that rebuild it as metadata."""

from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

LARGEST = 4096
"""Of a size in a file: what it claims must not decide how much memory is taken."""


def read(path: str | Path, what: str) -> tuple[dict[str, int], dict[str, Tensor]]:
    """The sizes and the float32 state that a file holds.

    Args:
        path: of the file.
        what: whose weights they are, for the error.

    Raises:
        FileNotFoundError: if ``path`` is not a file.
        ValueError: if it holds no weights, or sizes that no network of ours has; the file may be a stranger's.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"expected {what} weights (.safetensors) at {path}, found no file")
    try:
        with safe_open(str(path), framework="pt") as file:
            sizes = {name: int(value) for name, value in (file.metadata() or {}).items()}
            state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, ValueError) as error:
        raise ValueError(f"{path} holds no {what} weights: {str(error).splitlines()[0]}") from None
    if any(not 0 < size <= LARGEST for size in sizes.values()):
        raise ValueError(f"{path} holds no {what} weights: expected sizes from 1 to {LARGEST}, got {sizes}")
    return sizes, state
