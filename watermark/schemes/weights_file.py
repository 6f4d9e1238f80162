"""Weights of a scheme: a safetensors file whose header says in plain numbers how the network is built."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

Network = TypeVar("Network", bound=nn.Module)
WEIGHTS = Path(__file__).with_name("weights")
"""What ships."""
LARGEST_SIZE = 4096
"""Of a number in the header of a weights file."""


@dataclass(frozen=True)
class WeightsFile:
    """What a file holds, which may be a stranger's.

    Attributes:
        name: of the file.
        kind: which of the expected entries of the header was found.
        settings: of the network, from that entry: numbers and lists of them, none large.
        values: by parameter name, float32.
        sha256: of the file, hex.
    """

    name: str
    kind: str
    settings: dict[str, Any]
    values: dict[str, Tensor]
    sha256: str

    def load(self, build: Callable[..., Network], **changed: Any) -> Network:
        """The described network with these weights, for reading only.

        Args:
            build: makes the network from the settings.
            **changed: settings that take the place of the file's.

        Raises:
            ValueError: if settings or weights do not fit the network.
        """
        try:
            with _no_larger_than(sum(value.numel() for value in self.values.values())):
                network = build(**{**self.settings, **changed})
            network.load_state_dict(self.values)
        except (TypeError, RuntimeError, RecursionError) as error:
            said = str(error).splitlines()[0]
            raise ValueError(f"{self.name} holds no weights of {self.kind}: {said}") from None
        return network.requires_grad_(False).eval()


def read_weights(weights: str, kinds: Sequence[str]) -> WeightsFile:
    """Read the weights of a name under ``WEIGHTS``, or of a path to a ``.safetensors`` file.

    Args:
        weights: name or path.
        kinds: entries of the header that may describe the network.

    Raises:
        ValueError: if there is no such file, or it holds something else.
    """
    path = Path(weights) if weights.endswith(".safetensors") else WEIGHTS / f"{weights}.safetensors"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in WEIGHTS.glob("*.safetensors")))
        raise ValueError(f"no weights {weights!r}; expected a path to a .safetensors file or one of: {known}")
    try:
        with safe_open(str(path), framework="pt") as file:
            header = file.metadata() or {}
            values = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 - no dict
    except SafetensorError as error:
        raise ValueError(f"{path.name} is no safetensors file: {error}") from None
    kind = next((kind for kind in kinds if kind in header), None)
    if kind is None:
        raise ValueError(f"{path.name} holds no weights of {' or '.join(kinds)}")
    return WeightsFile(path.name, kind, _sizes(header[kind]), values, hashlib.sha256(path.read_bytes()).hexdigest())


@contextmanager
def _no_larger_than(parameters: int) -> Iterator[None]:
    """Ends the building of a network with more parameters than that, before they take memory.

    A header of some bytes could ask for any number.
    """
    room, thread = parameters, threading.get_ident()

    def count(_module: nn.Module, _name: str, parameter: nn.Parameter | None) -> None:
        nonlocal room
        if parameter is not None and threading.get_ident() == thread:
            room -= parameter.numel()
            if room < 0:
                raise RuntimeError(f"the header describes more than the {parameters} parameters that there are")

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()


def _sizes(header: str) -> dict[str, Any]:
    """The architecture: numbers and pairs of them, none large."""
    try:
        told = json.loads(header)
    except RecursionError:
        told = None
    if not isinstance(told, dict):
        raise ValueError("expected an object in the header of the weights")
    for name, value in told.items():
        for number in value if isinstance(value, list) else [value]:
            if isinstance(number, bool) or not isinstance(number, int | float) or not abs(number) <= LARGEST_SIZE:
                raise ValueError(f"{name!a:.40} in the header of the weights: expected a number, got {number!a:.40}")
    return told
