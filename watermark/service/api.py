"""API v1: ask about a picture, say what you think of the answer, and what this service is."""

import asyncio
import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response

import watermark
from watermark.errors import UserError
from watermark.files.formats import readable
from watermark.files.limits import max_pixels
from watermark.registry import Registry
from watermark.service import answers
from watermark.service.clients import Clients
from watermark.service.fetching import Fetcher
from watermark.service.journal import Journal
from watermark.service.pool import Pool
from watermark.service.problems import ProblemError, documented
from watermark.service.settings import LOCAL, Settings
from watermark.service.uploads import FIELD, JsonRoute, in_time, read_upload
from watermark.service.watching import Metrics
from watermark.shown import reason

log = logging.getLogger(__name__)
NAME = "robust-watermark"
Take = Callable[[], Awaitable[bytes]]
"""Brings the content of a file."""


@dataclass
class House:
    """Everything that the routes share.

    Attributes:
        settings: as the service was told.
        pool: the workers.
        clients: what each of them asked.
        fetcher: of addresses; None where they are not taken.
        journal: None where nothing is kept.
        metrics: counters.
        key_ids: of the keys that are looked for.
        inside: uploads in the house.
    """

    settings: Settings
    pool: Pool
    clients: Clients
    fetcher: Fetcher | None
    journal: Journal | None
    metrics: Metrics
    key_ids: frozenset[str]
    inside: int = 0
    _registry: Registry | None = None

    def registry(self) -> Registry:
        """The registry, opened without its key when it is first asked for.

        Raises:
            UserError: it does not answer.
        """
        if self._registry is None:
            self._registry = Registry(self.settings.registry, None, create=False)
        return self._registry

    async def ask(self, request: Request, kind: str, take: Take | None = None) -> Any:
        """Take the upload (or what ``take`` brings), have it looked at, note and return the finding.

        Raises:
            ProblemError: whatever is in the way.
        """
        host = request.client.host if request.client else "unknown"
        self.clients.ask(host)
        if self.inside >= self.settings.places:
            raise ProblemError(429, "busy", "too many pictures are waiting; try again later", self.pool.retry_after)
        with self.clients.inside(host):
            self.inside += 1
            try:
                content = await self._taken(request, take)
                found, seconds = await self._looked_at(request, kind, content)
            finally:
                self.inside -= 1
        self.metrics.work.observe(seconds)
        found = self._checked(found)
        if found.looks:
            self.clients.saw(host, found.looks)
        self._note(request, kind, found.said, content)
        return found.answer

    async def _looked_at(self, request: Request, kind: str, content: bytes) -> tuple[Any, float]:
        """The finding and its seconds; work that still waits when its client hangs up is dropped."""
        job, gone = asyncio.ensure_future(self.pool.run(kind, content)), asyncio.ensure_future(_hung_up(request))
        try:
            await asyncio.wait({job, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not job.done():
                raise ProblemError(499, "hung-up", "the client hung up before its picture was looked at")
            return await job
        finally:
            job.cancel()
            gone.cancel()

    async def _taken(self, request: Request, take: Take | None) -> bytes:
        seconds = self.settings.upload_seconds
        if take is None:
            return await read_upload(request, self.settings.max_bytes, seconds, self.fetcher)
        async with in_time(seconds):
            return await take()

    def _checked(self, found: Any) -> Any:
        if isinstance(found, str):
            log.error("unexpected-in-worker", extra={"fields": {"place": found}})
            raise ProblemError(500, "internal", "an unexpected error; it is in the log of this service")
        if hasattr(found, "status"):
            raise ProblemError(found.status, found.code, found.detail)
        return found

    def _note(self, request: Request, kind: str, said: str, content: bytes) -> None:
        self.metrics.answers.labels(kind, said).inc()
        if self.journal is not None:
            fields = {"request": request.state.request_id, "kind": kind, "answer": said}
            try:
                self.journal.write("answers", {**fields, "picture": self.journal.picture(content)})
            except OSError as error:  # who asks is answered all the same; who watches the log is told
                log.error("journal-not-written", extra={"fields": {"reason": reason(error)}})


async def _hung_up(request: Request) -> None:
    """Returns when the client is gone; its upload has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def house_of(request: Request) -> House:
    """The house that this request came to."""
    found: House = request.app.state.house
    return found


Here = Annotated[House, Depends(house_of)]


def may_ask(request: Request, house: Here) -> None:
    """Refuse who does not show the token, where there is one and the service is not public.

    Where there is none the service is for this machine, and must be asked by a name of this machine: a browser that
    somebody's page told that its name is 127.0.0.1 (DNS rebinding) asks by that page's name.
    """
    if house.settings.public:
        return
    if house.settings.token is not None:
        require_token(request, house)
    elif request.url.hostname not in LOCAL:
        raise ProblemError(401, "unauthorised", "without a token this is told to who asks localhost on its machine")


def require_token(request: Request, house: House) -> None:
    """Refuse who does not show the token, or where there is none is not on this machine."""
    if house.settings.token is None:
        if request.client is None or request.client.host in LOCAL:
            return
        raise ProblemError(401, "unauthorised", "this is told on the service's own machine, or with its token")
    word, _, given = request.headers.get("authorization", "").partition(" ")
    if word.lower() != "bearer" or not hmac.compare_digest(given.encode(), house.settings.token.encode()):
        raise ProblemError(401, "unauthorised", "expected Authorization: Bearer and the service's token")


def install(app: FastAPI, house: House) -> None:
    """Add the routes; what they answer depends on who may ask."""
    public = house.settings.public
    router = APIRouter(prefix="/v1", dependencies=[Depends(may_ask)])
    small = APIRouter(prefix="/v1", dependencies=[Depends(may_ask)], route_class=JsonRoute)
    body = {"requestBody": upload_body(house.fetcher is not None)}
    errors = documented(400, 401, 408, 413, 415, 422, 429, 503, 504)
    detection: Any = answers.PublicDetection if public else answers.OwnerDetection
    tracing: Any = answers.PublicTrace if public else answers.OwnerTrace

    @router.post("/detect", response_model=detection, responses=errors, operation_id="detect", openapi_extra=body)
    async def detect(request: Request, house: Here) -> Any:
        """Is there a mark of this service's keys in the picture, and whose."""
        return await house.ask(request, "detect")

    @router.post("/trace", response_model=tracing, responses=errors, operation_id="trace", openapi_extra=body)
    async def trace(request: Request, house: Here) -> Any:
        """Whose picture is this: the mark, the record behind it, and what the file's metadata say."""
        answer = await house.ask(request, "trace")
        if "evidence" in answer:
            answer = {**answer, "evidence": json.loads(answer["evidence"])}
        return answer

    told = documented(400, 404, 408, 413, 429, 503)

    @small.post("/feedback", status_code=204, responses=told, operation_id="feedback")
    async def feedback(request: Request, given: answers.Feedback, house: Here) -> Response:
        """Say whether an answer was right. Kept for a bounded time, without the picture and without who said it."""
        house.clients.ask(request.client.host if request.client else "unknown")
        if house.journal is None:
            raise ProblemError(404, "not-found", "this service keeps no feedback: it was started without --journal")
        try:
            house.journal.write("feedback", given.model_dump())
        except OSError as error:
            log.error("journal-not-written", extra={"fields": {"reason": reason(error)}})
            raise ProblemError(503, "not-kept", "the feedback cannot be kept now; try again later") from None
        return Response(status_code=204)

    @router.get("/about", response_model=answers.About, operation_id="about")
    async def about(house: Here) -> answers.About:
        """What this service is and takes."""
        settings = house.settings
        return answers.About(
            name=NAME,
            version=watermark.__version__,
            public=settings.public,
            false_positive_rate=settings.false_positive_rate,
            max_bytes=settings.max_bytes,
            max_pixels=max_pixels(),
            formats=sorted(readable()),
            fetches=house.fetcher is not None,
            feedback=house.journal is not None,
        )

    app.include_router(router)
    app.include_router(small)


def upload_body(fetches: bool) -> dict[str, Any]:
    """The request body of a picture, for the OpenAPI document."""
    binary = {"type": "string", "format": "binary"}
    form = {"type": "object", "title": "PictureForm", "required": [FIELD], "properties": {FIELD: binary}}
    content: dict[str, Any] = {"multipart/form-data": {"schema": form}, "image/*": {"schema": binary}}
    if fetches:
        url = {"type": "string", "pattern": "^https://", "maxLength": 2048}
        address = {"type": "object", "title": "PictureAddress", "required": ["url"], "properties": {"url": url}}
        content["application/json"] = {"schema": address}
    return {"required": True, "content": content}


async def registry_answers(house: House) -> bool:
    """Whether the registry can be read right now."""
    try:
        await asyncio.to_thread(lambda: house.registry().slots())
    except UserError:
        return False
    return True
