"""Connections on which nothing is asked: whoever opens many and sends headers for hours would keep all others out."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 15.0
"""In which a request's headers arrive; twice that at the most. A body has a time of its own."""


class Impatient(H11Protocol):
    """Uvicorn's HTTP/1.1, whose headers are bounded in size but not in time."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to watch the clock."""
        super().connection_made(transport)
        self.loop.call_later(HEADER_SECONDS, self._look, None)

    def _look(self, before: Any) -> None:
        """Hang up where nothing was asked since the last look, which saw the answered question ``before``."""
        if self.transport.is_closing():
            return
        waiting = self.cycle is None or self.cycle.response_complete
        if waiting and self.cycle is before:
            self.transport.close()
        else:
            self.loop.call_later(HEADER_SECONDS, self._look, self.cycle if waiting else self)
