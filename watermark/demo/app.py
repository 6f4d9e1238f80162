"""The page behind a web server of our own: it answers its own address, and its pages may ask nobody else."""

import os
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from PIL import Image

from watermark.demo.work import Markers

if TYPE_CHECKING:
    from fastapi import FastAPI

ONLY_OWN = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; form-action 'self'; frame-ancestors 'none'"
"""Content-Security-Policy: the browser itself refuses whatever a page would load from elsewhere."""


def make_app(markers: Markers, folder: Path, example: Image.Image, hosts: Collection[str] | None = None) -> "FastAPI":
    """An ASGI application.

    Args:
        markers: under the demo's key.
        folder: for uploads and pictures; whoever made it removes it.
        example: the picture that is there first.
        hosts: names under which it may be asked; None: any. A page of somebody else's whose name suddenly means this
            machine (DNS rebinding) asks under its own.

    Raises:
        ModuleNotFoundError: if the extra ``demo`` is not installed.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before gradio is imported, which reads it then
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    import gradio
    from fastapi import FastAPI, Request, Response

    from watermark.demo.page import STYLE, make_page

    first = folder / "example.png"
    example.save(first)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.middleware("http")
    async def _(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        if hosts is not None and urlsplit(f"//{request.headers.get('host', '')}").hostname not in hosts:
            return Response("this demo is for this machine\n", 403)
        response = await call_next(request)
        response.headers["Content-Security-Policy"] = ONLY_OWN
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    page = make_page(markers, first)
    page.has_launched = page.is_running = True  # else Gradio takes any file that a request names (6.31)
    return gradio.mount_gradio_app(
        app,
        page,
        "/",
        theme=gradio.themes.Base(font=("system-ui", "sans-serif"), font_mono=("ui-monospace", "monospace")),
        css=STYLE,
        footer_links=[],
        max_file_size="64mb",
        ssr_mode=False,
        run_history=False,
    )
