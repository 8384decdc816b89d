"""``/studio``: the built page of ``studio/``, files that are read from disk when asked for."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

FOLDER = Path(__file__).with_name("studio")
MEDIA_TYPES = {
    "studio.js": "text/javascript",
    "studio.css": "text/css",
    "icon.svg": "image/svg+xml",
}

# No script but the page's own and none in its text; no string becomes markup (Trusted Types). What
# the page shows of videos and pictures it fetched with its key, hence `blob:`.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' blob:",
        "media-src blob:",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def studio_routes() -> APIRouter:
    """The page and its files. Open to everybody: it asks for a key and knows nothing by itself."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/studio")
    def studio_page() -> FileResponse:
        return FileResponse(FOLDER / "index.html", media_type="text/html", headers=HEADERS)

    def add(name: str, media_type: str) -> None:
        @routes.get(f"/studio/{name}")
        def studio_file() -> FileResponse:
            return FileResponse(FOLDER / name, media_type=media_type, headers=HEADERS)

    for name, media_type in MEDIA_TYPES.items():
        add(name, media_type)
    return routes
