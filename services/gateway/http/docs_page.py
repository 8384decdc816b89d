"""``/docs``: the description as a page that fetches nothing but ``/openapi.json``."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'"


def docs_routes() -> APIRouter:
    """The page, its script and its style."""
    routes = APIRouter(include_in_schema=False)
    folder = Path(__file__).with_name("docs")

    @routes.get("/docs")
    def docs_page() -> HTMLResponse:
        return HTMLResponse(
            (folder / "index.html").read_text("utf-8"), headers={"Content-Security-Policy": POLICY}
        )

    @routes.get("/docs/page.js")
    def docs_script() -> Response:
        return Response((folder / "page.js").read_text("utf-8"), media_type="text/javascript")

    @routes.get("/docs/page.css")
    def docs_style() -> Response:
        return Response((folder / "page.css").read_text("utf-8"), media_type="text/css")

    return routes
