"""How much one client may ask: requests a minute, uploads at once, and versions of one picture an hour.

Only in memory, only as long as it is needed, and of the last ``CLIENTS`` clients. Behind a proxy the client is whom a
trusted proxy names (``--behind``). An attacker with many addresses is many clients: these limits raise his costs, no
more (docs/threat-model.md).
"""

import ipaddress
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from watermark.service.problems import ProblemError

CLIENTS = 50_000
HOUR = 3600.0
ALIKE = 10
"""Differing bits of 64 up to which two perceptual hashes are of one look."""


@dataclass
class _Client:
    tokens: float
    at: float
    looks: deque[tuple[float, int]] = field(default_factory=deque)


class Clients:
    """Remembers what each client asked.

    Args:
        rate: requests a minute; that many may also come at once. 0 for any number.
        near_copies: different files of one look an hour. 0 for any number.
        at_once: uploads that are under way. 0 for any number.
        clock: seconds; tests set it.
    """

    def __init__(
        self, rate: int, near_copies: int, at_once: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.rate, self.near_copies, self.at_once, self._clock = rate, near_copies, at_once, clock
        self._inside: Counter[str] = Counter()
        self._known: OrderedDict[str, _Client] = OrderedDict()

    def ask(self, address: str) -> None:
        """Count one request.

        Raises:
            ProblemError: 429 if it is one too many.
        """
        if not self.rate:
            return
        client, now = self._of(address), self._clock()
        client.tokens = min(self.rate, client.tokens + (now - client.at) * self.rate / 60)
        client.at = now
        if client.tokens < 1:
            wait = max(1, round((1 - client.tokens) * 60 / self.rate + 0.5))
            raise ProblemError(429, "too-many", f"expected at most {self.rate} requests a minute", wait)
        client.tokens -= 1

    @contextmanager
    def inside(self, address: str) -> Iterator[None]:
        """Around an upload, from its first byte to its answer.

        Raises:
            ProblemError: 429 if the client has too many under way: alone he would fill the house by sending slowly.
        """
        name = client_of(address)
        if self.at_once and self._inside[name] >= self.at_once:
            raise ProblemError(429, "too-many", f"expected at most {self.at_once} uploads of one client at a time", 1)
        self._inside[name] += 1
        try:
            yield
        finally:
            self._inside[name] -= 1
            if not self._inside[name]:
                del self._inside[name]

    def saw(self, address: str, looks: str) -> None:
        """Count a picture by its look, before its answer is given.

        Raises:
            ProblemError: 429 if the client asked about this look too often: walking along the detector's boundary.
        """
        if not self.near_copies:
            return
        client, now, bits = self._of(address), self._clock(), int(looks.rpartition(":")[2], 16)
        while client.looks and client.looks[0][0] <= now - HOUR:
            client.looks.popleft()
        client.looks.append((now, bits))
        times = [at for at, other in client.looks if (bits ^ other).bit_count() <= ALIKE]
        if len(times) > self.near_copies:
            client.looks.pop()  # what was refused does not count
            wait = max(1, round(times[0] + HOUR - now))
            raise ProblemError(
                429, "too-alike", f"expected at most {self.near_copies} versions of one picture an hour", wait
            )

    def _of(self, address: str) -> _Client:
        name = client_of(address)
        client = self._known.setdefault(name, _Client(self.rate, self._clock()))
        self._known.move_to_end(name)
        if len(self._known) > CLIENTS:
            self._known.popitem(last=False)
        return client


def client_of(address: str) -> str:
    """Whom an address stands for: of IPv6, where everybody has many, the network of 64 bits."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)
