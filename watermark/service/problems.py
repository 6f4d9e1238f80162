"""What went wrong, as RFC 9457 says it (``application/problem+json``): a code for programs, a line for people."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """An answer that is an error; the message never holds anything of a picture, a key or an ID.

    Args:
        status: HTTP status.
        code: a short name that stays the same, such as ``too-large``.
        detail: one line for a person.
        retry_after: seconds after which asking again makes sense.
    """

    def __init__(self, status: int, code: str, detail: str, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.retry_after = status, code, detail, retry_after

    def response(self) -> JSONResponse:
        """The HTTP answer."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        content = {"title": self.code, "status": self.status, "detail": self.detail}
        return JSONResponse(content, self.status, headers, MEDIA_TYPE)


class ProblemBody(BaseModel):
    """Its shape in the OpenAPI document."""

    title: str = Field(description="a short name that stays the same, such as too-large")
    status: int = Field(description="the HTTP status")
    detail: str = Field(description="one line for a person")


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """``responses=`` of a route."""
    return {status: {"model": ProblemBody} for status in statuses}


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once: errors under their own media type, and none that is never given."""
    if app.openapi_schema is None:
        made = FastAPI.openapi(app)
        for operation in (one for path in made["paths"].values() for one in path.values()):
            for status, response in list(operation["responses"].items()):
                told = response.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", "")
                if told.endswith("/HTTPValidationError"):
                    del operation["responses"][status]
                elif told.endswith("/ProblemBody"):
                    response["content"] = {MEDIA_TYPE: response["content"]["application/json"]}
        for name in ("HTTPValidationError", "ValidationError"):
            made["components"]["schemas"].pop(name, None)
    return app.openapi_schema or made


def install(app: FastAPI) -> None:
    """Every error of this application has this shape; an unexpected one tells nothing but that it happened."""
    app.openapi = lambda: document(app)  # type: ignore[method-assign]

    @app.exception_handler(ProblemError)
    async def _(_request: Request, error: ProblemError) -> JSONResponse:
        return error.response()

    @app.exception_handler(HTTPException)
    async def _(_request: Request, error: HTTPException) -> JSONResponse:
        code = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "refused")
        response = ProblemError(error.status_code, code, str(error.detail)).response()
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(RequestValidationError)
    async def _(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if isinstance(part, str))
        return ProblemError(400, "bad-request", f"{where}: {first['msg']}").response()

    @app.exception_handler(Exception)
    async def _(_request: Request, _error: Exception) -> JSONResponse:
        return ProblemError(500, "internal", "an unexpected error; it is in the log of this service").response()
