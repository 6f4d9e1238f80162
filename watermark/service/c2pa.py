"""C2PA soft-binding resolution: from a picture, or from the value of its mark, to the manifest that it lost.

Paths, parameters and status codes are those of the Soft Binding Resolution API 2.2 and of its 2.4 text, as far as a
service goes that only its owner writes to: the query, fetch and service routes. Discovery, capabilities and status are
not in the published 2.4 text; they have the shape in which open implementations of 2.4 answer them. Hints (``hintAlg``)
are ignored: the pixels are asked. Regions are refused.
"""

import asyncio
import base64
import binascii
import json
import re
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, FastAPI, Path, Query, Request, Response
from pydantic import BaseModel, Field

from watermark.errors import UserError
from watermark.labels.soft_binding import algorithm_name
from watermark.service.api import Here, House, Take, may_ask
from watermark.service.problems import ProblemError, documented
from watermark.service.settings import Settings
from watermark.service.uploads import JsonRoute

VERSION = "2.4.0"
MAX_VALUE = 2048
MEDIA_TYPE = "application/c2pa"
_MANIFEST_ID = re.compile(r"[A-Za-z0-9:._-]{1,255}")
Alg = Annotated[str | None, Query(description="algorithm; one of services/supportedAlgorithms, or none is asked for")]
MaxResults = Annotated[int, Query(alias="maxResults", ge=1, description="matches to return at most")]


class Match(BaseModel):
    """One manifest."""

    manifestId: str  # noqa: N815
    similarityScore: int = Field(  # noqa: N815
        ge=0,
        le=100,
        description="by binding: 100. By content: 100, 90 or 70 where an unmarked picture is called marked with this "
        "certainty at most once in 10^12, 10^6 or 10^3; the picture looks like the recorded one in every match",
    )


class Matches(BaseModel):
    """The result of a query, empty where nothing matches."""

    matches: list[Match]


class Binding(BaseModel):
    """The value of a soft binding: base64 of the text in the assertion's ``blocks[0].value``."""

    alg: str
    value: str


class Reference(BaseModel):
    """An address to fetch the picture from."""

    referenceUrl: str = Field(pattern=r"^https://.*")  # noqa: N815
    assetLength: int = Field(ge=1, description="bytes; a longer one is refused")  # noqa: N815
    assetType: str | None = Field(None, description="media type that it must have")  # noqa: N815
    region: list[Any] | None = None


def install(app: FastAPI, settings: Settings) -> None:
    """Add the routes where the settings name an owner."""
    if settings.owner is None:
        return
    algorithm_name(settings.owner, "any", "1")  # refuses what is no reversed domain
    for router in (queries, questions, services, discovery):
        app.include_router(router)


queries = APIRouter(prefix="/v1", dependencies=[Depends(may_ask)], tags=["C2PA"])
questions = APIRouter(prefix="/v1", dependencies=[Depends(may_ask)], tags=["C2PA"], route_class=JsonRoute)
ERRORS = documented(400, 401, 429, 503, 504)
PICTURE = {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}, "required": True}


@queries.get("/matches/byBinding", responses=ERRORS | documented(414), operation_id="queryByBinding")
async def by_binding(request: Request, house: Here, alg: str, value: str, max_results: MaxResults = 10) -> Matches:
    """Manifests that a soft-binding value stands for."""
    if len(value) > MAX_VALUE:
        raise ProblemError(414, "too-long", f"expected a value of at most {MAX_VALUE} characters; use POST")
    return await _bound(request, house, alg, value, max_results)


@questions.post("/matches/byBinding", responses=ERRORS | documented(408, 413), operation_id="queryByLargeBinding")
async def by_large_binding(
    request: Request, house: Here, given: Annotated[Binding, Body()], max_results: MaxResults = 10
) -> Matches:
    """The same for values that do not fit into an address."""
    return await _bound(request, house, given.alg, given.value, max_results)


@queries.post(
    "/matches/byContent",
    responses=ERRORS | documented(413, 415),
    operation_id="uploadFile",
    openapi_extra={"requestBody": PICTURE},
)
async def by_content(request: Request, house: Here, alg: Alg = None, max_results: MaxResults = 10) -> Matches:
    """Manifests of an uploaded picture."""
    await _check_algorithm(house, alg)
    try:
        return await _matched(request, house, "resolve", None, max_results)
    except ProblemError as problem:
        raise (_as_400(problem) if problem.status in {408, 422} else problem) from None


@questions.post("/matches/byReference", responses=ERRORS | documented(408, 413), operation_id="queryByReference")
async def by_reference(
    request: Request,
    house: Here,
    given: Annotated[Reference, Body()],
    alg: Alg = None,
    max_results: MaxResults = 10,
) -> Matches:
    """Manifests of a picture behind an address, which is fetched as safely as for anybody."""
    await _check_algorithm(house, alg)
    if given.region:
        raise ProblemError(400, "no-regions", "expected the whole picture: regions are not looked at alone")
    if given.assetType is not None and not given.assetType.startswith("image/"):
        raise ProblemError(400, "unsupported-media-type", "expected a picture (image/*)")
    if house.fetcher is None:
        raise ProblemError(400, "bad-address", "this service fetches no addresses")
    wanted = min(given.assetLength, house.settings.max_bytes)
    if given.assetLength > wanted:
        raise ProblemError(400, "too-large", f"expected at most {wanted:,} bytes")
    fetching = partial(house.fetcher.fetch, given.referenceUrl, wanted, given.assetType or "image/")
    try:
        return await _matched(request, house, "resolve", fetching, max_results)
    except ProblemError as problem:
        raise (problem if problem.status in {429, 503, 504} else _as_400(problem)) from None


@queries.get(
    "/manifests/{manifestId}",
    responses={200: {"content": {MEDIA_TYPE: {}}}, **documented(400, 401, 404, 429)},
    operation_id="getManifestById",
    response_class=Response,
)
async def manifest(
    request: Request,
    house: Here,
    manifest_id: Annotated[str, Path(alias="manifestId")],
    only_active: Annotated[bool, Query(alias="returnActiveManifest")] = False,  # noqa: ARG001 - there is one each
) -> Response:
    """A manifest store; those of this service hold one manifest, the active one."""
    house.clients.ask(request.client.host if request.client else "unknown")
    if not _MANIFEST_ID.fullmatch(manifest_id):
        raise ProblemError(400, "bad-request", "expected a manifest ID such as urn:c2pa:...")
    content = await _or_503(lambda: house.registry().manifest(manifest_id))
    if content is None:
        raise ProblemError(404, "not-found", "no manifest with this ID is kept here")
    return Response(content, media_type=MEDIA_TYPE)


services = APIRouter(prefix="/v1/services", tags=["C2PA"])


@services.get("/supportedAlgorithms", operation_id="getSupportedBindings")
async def algorithms(house: Here) -> dict[str, list[dict[str, str]]]:
    """Names of the marks that are looked for."""
    return {"watermarks": [{"alg": name} for name in await _algorithms(house)], "fingerprints": []}


@services.get("/capabilities", operation_id="getCapabilities")
async def capabilities(house: Here) -> dict[str, Any]:
    """What is answered beside queries by binding."""
    names = ["queryByContent", *(["queryByReference"] if house.fetcher else [])]
    return {"c2paSpecificationVersion": VERSION, "supportedCapabilities": names}


@services.get("/status", operation_id="getServiceStatus")
async def status(house: Here) -> dict[str, str]:
    """Whether it works right now."""
    ready, wanted = house.pool.ready, house.settings.workers
    return {"status": "down" if not ready else "ok" if ready >= wanted else "degraded"}


discovery = APIRouter(tags=["C2PA"])


@discovery.get("/.well-known/c2pa-soft-binding-resolution", operation_id="discover")
async def discover(request: Request) -> dict[str, str]:
    """Where the API is."""
    base = f"{str(request.base_url).rstrip('/')}/v1"
    where = {"apiEndpoint": base, "capabilitiesEndpoint": f"{base}/services/capabilities"}
    return {**where, "c2paSpecificationVersion": VERSION}


async def _bound(request: Request, house: House, alg: str, value: str, limit: int) -> Matches:
    try:
        text = base64.b64decode(value, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise ProblemError(400, "bad-request", "value: expected base64 of the soft binding's value") from None
    question = json.dumps({"alg": alg, "value": text, "owner": house.settings.owner}).encode()

    async def take() -> bytes:
        return question

    return await _matched(request, house, "binding", take, limit)


async def _matched(request: Request, house: House, kind: str, take: Take | None, limit: int) -> Matches:
    answer = await house.ask(request, kind, take)
    return Matches(matches=answer["matches"][:limit])


async def _check_algorithm(house: House, alg: str | None) -> None:
    if alg is not None and alg not in await _algorithms(house):
        raise ProblemError(400, "bad-request", "alg: expected one of services/supportedAlgorithms")


async def _algorithms(house: House) -> list[str]:
    def names() -> list[str]:
        owner = house.settings.owner or ""
        slots = [slot for slot in house.registry().slots() if slot.key_id in house.key_ids]
        return sorted({algorithm_name(owner, slot.algorithm, slot.algorithm_version) for slot in slots})

    return await _or_503(names)


async def _or_503(ask: Callable[[], Any]) -> Any:
    try:
        return await asyncio.to_thread(ask)
    except UserError:
        raise ProblemError(503, "registry-away", "the registry does not answer; try again later", 5) from None


def _as_400(problem: ProblemError) -> ProblemError:
    return ProblemError(400, problem.code, problem.detail)
