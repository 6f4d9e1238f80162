"""Put the service together: routes, page, health, metrics, and the life of the workers around them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

import watermark
from watermark.keystore import KeyFile
from watermark.service import api, c2pa, page, problems
from watermark.service.api import NAME, Here, House
from watermark.service.clients import Clients
from watermark.service.fetching import Fetcher
from watermark.service.journal import Journal
from watermark.service.pool import Pool
from watermark.service.settings import Settings
from watermark.service.watching import Metrics, Watch


def make_pool(settings: Settings) -> Pool:
    """The workers of a service, not started yet."""
    asked = settings.false_positive_rate, settings.misattribution_rate, settings.search
    keys = [str(path) for path in settings.key_files]
    begin = (
        "watermark.service.examiner",
        "Examiner",
        (settings.registry, keys, settings.sync_key_file, settings.public, *asked),
    )
    return Pool(begin, settings.workers, settings.queue, settings.seconds)


def make_app(settings: Settings, pool: Pool, fetcher: Fetcher | None = None) -> FastAPI:
    """The application around a started pool, which it closes when it ends.

    Args:
        settings: as the service was told.
        pool: see ``make_pool``.
        fetcher: in the place of the usual one.

    Raises:
        UserError: no journal can be kept where the settings say.
    """

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(pool.close)

    text = "Is a picture marked, and whose is it. Nothing found proves nothing."
    app = FastAPI(
        title=NAME, version=watermark.__version__, description=text, lifespan=life, docs_url=None, redoc_url=None
    )
    metrics = Metrics(pool)
    house = House(
        settings=settings,
        pool=pool,
        clients=Clients(settings.rate, settings.near_copies, settings.places_of_one),
        fetcher=(fetcher or Fetcher()) if settings.fetch else None,
        journal=_journal(settings),
        metrics=metrics,
        key_ids=frozenset(KeyFile.load(path).key_id for path in settings.key_files),
    )
    app.state.house = house
    problems.install(app)
    api.install(app, house)
    c2pa.install(app, settings)
    _operation(app)
    page.install(app)
    if settings.public:  # no cookies, no secrets: any page may ask
        methods, told = ["GET", "POST"], ["X-Request-ID", "Retry-After"]
        app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=methods, expose_headers=told)
    app.add_middleware(Watch, metrics=metrics)
    return app


def _operation(app: FastAPI) -> None:
    @app.get("/health", include_in_schema=False)
    async def health() -> PlainTextResponse:
        """The process is alive."""
        return PlainTextResponse("alive\n")

    @app.get("/ready", include_in_schema=False)
    async def ready(house: Here) -> PlainTextResponse:
        """A picture that came now would be looked at: a worker is alive and the registry answers."""
        if not house.pool.ready:
            return PlainTextResponse("no worker is alive\n", 503)
        if not await api.registry_answers(house):
            return PlainTextResponse("the registry does not answer\n", 503)
        return PlainTextResponse("ready\n")

    @app.get("/metrics", include_in_schema=False)
    async def metrics(request: Request, house: Here) -> Response:
        """For Prometheus, with the token or on this machine."""
        api.require_token(request, house)
        return Response(generate_latest(house.metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _journal(settings: Settings) -> Journal | None:
    if settings.journal is None:
        return None
    secret = KeyFile.load(settings.key_files[0]).mark_key
    return Journal(settings.journal, settings.journal_days, secret)
