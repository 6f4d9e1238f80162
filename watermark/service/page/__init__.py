"""The page ``/``: plain files beside this one, without a build step and without a request to anywhere else."""

import hashlib
from pathlib import Path

from fastapi import FastAPI, Request, Response

FOLDER = Path(__file__).parent
TYPES = {
    "index.html": "text/html; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "texts.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


def install(app: FastAPI) -> None:
    """Serve each file under its name, and the page at ``/``."""
    for name, media_type in TYPES.items():
        content = (FOLDER / name).read_bytes()
        _serve(app, "/" if name == "index.html" else f"/{name}", content, media_type)


def _serve(app: FastAPI, path: str, content: bytes, media_type: str) -> None:
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}

    @app.get(path, include_in_schema=False)
    async def _(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=media_type, headers=headers)
