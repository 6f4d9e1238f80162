"""Take an upload into memory, and never more of it than is allowed: nothing touches a disk."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.types import Message, Receive

from watermark.service.fetching import Fetcher
from watermark.service.problems import ProblemError

FIELD = "file"
DRAINED = 2**27
"""Bytes of an upload that is too large which are read and thrown away, so that its sender hears why."""
_OVERHEAD = 2**16  # of a multipart body around its file, and of a question in JSON


class _InMemory(MultiPartParser):
    spool_max_size = 2**40  # never a temporary file; the body as a whole is bounded already


async def read_upload(request: Request, max_bytes: int, seconds: float, fetcher: Fetcher | None) -> bytes:
    """The picture that a request carries: as its body, as the form field ``file``, or as an address in JSON.

    Args:
        request: not read yet.
        max_bytes: of the picture.
        seconds: for the whole transfer.
        fetcher: of addresses; None where they are not taken.

    Raises:
        ProblemError: 400 no picture in it, 408 too slow, 413 too large, 415 another media type; see ``Fetcher.fetch``.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    async with in_time(seconds):
        if kind.startswith("image/") or kind == "application/octet-stream":
            return _some(await read_body(request, max_bytes))
        if kind == "multipart/form-data":
            return _some(await _of_form(request.headers, await read_body(request, max_bytes, _OVERHEAD), max_bytes))
        if kind == "application/json" and fetcher is not None:
            return _some(await fetcher.fetch(_address(await read_body(request, _OVERHEAD)), max_bytes))
    address = ', or application/json {"url": "https://..."}' if fetcher else ""
    raise ProblemError(
        415, "unsupported-media-type", f"expected image/*, multipart/form-data with a field file{address}"
    )


@asynccontextmanager
async def in_time(seconds: float) -> AsyncIterator[None]:
    """ProblemError 408 where what a client sends takes longer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise ProblemError(408, "too-slow", f"the upload did not arrive within {seconds:g} seconds") from None


class JsonRoute(APIRoute):
    """A route that FastAPI reads the JSON of: it would go on for as long as a client sends, without this."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Read the body first, bounded in size and time."""
        handle = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            async with in_time(request.app.state.house.settings.upload_seconds):
                body = await read_body(request, _OVERHEAD)
            return await handle(Request(request.scope, _replayed(body, request.receive)))

        return bounded


def _replayed(body: bytes, then: Receive) -> Receive:
    told = False

    async def receive() -> Message:
        nonlocal told
        if told:
            return await then()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def read_body(request: Request, limit: int, around: int = 0) -> bytes:
    """The body, if it has no more than ``limit`` bytes, and ``around`` of a form about them; else ProblemError 413."""
    claimed = request.headers.get("content-length", "0")
    too_large = not claimed.isdecimal() or int(claimed) > limit + around
    body, seen = bytearray(), 0
    async for part in request.stream():
        seen += len(part)
        too_large = too_large or seen > limit + around
        if too_large:
            body.clear()
            if seen > DRAINED:
                break
        else:
            body += part
    if too_large:
        raise ProblemError(413, "too-large", f"expected at most {limit:,} bytes")
    return bytes(body)


async def _of_form(headers: Headers, body: bytes, max_bytes: int) -> bytes:
    async def once() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        form = await _InMemory(headers, once(), max_files=1, max_fields=8, max_part_size=_OVERHEAD).parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise ProblemError(400, "bad-form", f"not a form of one file: {str(error)[:200]}") from None
    found = form.get(FIELD)
    if not isinstance(found, UploadFile):
        raise ProblemError(400, "bad-form", f"expected the picture in the form field {FIELD!r}")
    content = await found.read()
    await form.close()
    if len(content) > max_bytes:
        raise ProblemError(413, "too-large", f"expected at most {max_bytes:,} bytes")
    return content


def _address(body: bytes) -> str:
    try:
        url = json.loads(body)["url"]
    except (ValueError, KeyError, TypeError, RecursionError):
        url = None
    if not isinstance(url, str):
        raise ProblemError(400, "bad-request", 'expected {"url": "https://..."}')
    return url


def _some(content: bytes) -> bytes:
    if not content:
        raise ProblemError(400, "empty", "expected a picture, got 0 bytes")
    return content
