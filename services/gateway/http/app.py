"""The ASGI application: every route of the HTTP door over one application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.middleware.cors import CORSMiddleware

from omnireel.api.v1 import capabilities_pb2, media_pb2, video_pb2
from services.common.health import Health
from services.common.telemetry import Telemetry
from services.gateway.application import Application
from services.gateway.http.api import api_routes
from services.gateway.http.audit import AuditTrail
from services.gateway.http.compat.routes import compat_routes
from services.gateway.http.context import CallContext
from services.gateway.http.docs_page import docs_routes
from services.gateway.http.door import Door
from services.gateway.http.errors import install_error_handlers
from services.gateway.http.media import media_routes
from services.gateway.http.openapi import describe
from services.gateway.http.origins import OriginCheck
from services.gateway.http.settings import HttpSettings
from services.gateway.http.studio_page import studio_routes

DESCRIPTION = """Videos from words, pictures, clips and elements. `/api/v1` is the JSON form of the
gRPC API; `/v1/videos` is what clients of OpenAI's video API speak."""
MESSAGES = [
    capabilities_pb2.Capabilities,
    media_pb2.Media,
    video_pb2.CreateVideoRequest,
    video_pb2.ListVideosResponse,
    video_pb2.Video,
    video_pb2.VideoProgress,
]


def build_app(
    application: Application, settings: HttpSettings, health: Health, telemetry: Telemetry
) -> FastAPI:
    """All routes, with the checks that stand before them."""
    door = Door(
        application=application,
        settings=settings,
        watches=anyio.CapacityLimiter(settings.max_watches),
        uploads=anyio.CapacityLimiter(settings.max_uploads),
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        limiter = anyio.to_thread.current_default_thread_limiter()
        limiter.total_tokens = application.settings.max_calls
        yield

    app = FastAPI(
        title="Omnireel",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.authenticator = application.authenticator
    for routes in (
        api_routes(door),
        media_routes(door),
        compat_routes(door),
        docs_routes(),
        studio_routes(),
    ):
        app.include_router(routes)
    _add_probes(app, health)
    description = describe(app, MESSAGES)

    @app.get("/openapi.json", include_in_schema=False)
    def openapi_json() -> JSONResponse:
        return JSONResponse(description)

    install_error_handlers(app)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "HEAD", "POST", "DELETE"],
            allow_headers=["authorization", "content-type", "idempotency-key", "last-event-id"],
            expose_headers=["content-range", "etag", "retry-after"],
        )
    app.add_middleware(AuditTrail, log=application.audit)
    any_host = application.settings.auth == "on" and not settings.hosts
    app.add_middleware(
        OriginCheck,
        hosts=None if any_host else settings.hosts,
        origins=settings.cors_origins,
    )
    app.add_middleware(CallContext, telemetry=telemetry)
    return app


def _add_probes(app: FastAPI, health: Health) -> None:
    """For load balancers; a cluster's own probes speak gRPC."""

    @app.get("/healthz", include_in_schema=False)
    def alive() -> dict[str, Any]:
        return {"status": "alive"}

    @app.get("/readyz", include_in_schema=False)
    def ready() -> JSONResponse:
        status, code = ("ready", 200) if health.serving else ("not ready", 503)
        return JSONResponse({"status": status}, code)
