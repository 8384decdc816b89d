"""Structured logs: one event per line on standard error, JSON in a cluster, readable on a desk.

What is bound with :func:`bind_call` (the request's and the job's id) stands in every line that
is written while that call is served, also from threads started with
:func:`services.common.streaming.stream_work`.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, Processor

from services.common.redact import redact

LogFormat = Literal["json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]


def configure_logs(
    service: str, *, log_format: LogFormat = "console", level: LogLevel = "info"
) -> None:
    """Send this process' logs, the libraries' included, to standard error in ``log_format``."""

    def name_service(_logger: Any, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_service,
    ]
    renderer: Processor
    if log_format == "json":
        shared.append(structlog.processors.format_exc_info)
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            renderer,
            _redact_line,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _redact_line(_logger: Any, _method: str, line: Any) -> str:
    # Last of all, so that nothing escapes it: not a library's message, not a traceback.
    return redact(str(line))


def get_logger(name: str) -> Any:
    """A structured logger: ``log.info("generated", num_steps=4)``."""
    return structlog.get_logger(name)


def bind_call(**ids: str) -> None:
    """Start a call's log context on this thread; what an earlier call had bound is dropped.

    Threads of the server's pool are reused, so each call begins from nothing. Nothing is reset
    at its end: a streaming call may be closed from another thread, where a reset would fail.
    """
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**{k: v for k, v in ids.items() if v})


def bind_more(**ids: str) -> None:
    """Add to what :func:`bind_call` began."""
    structlog.contextvars.bind_contextvars(**{k: v for k, v in ids.items() if v})


@contextmanager
def timed(log: Any, event: str, **fields: object) -> Iterator[dict[str, object]]:
    """Write one line with ``seconds`` when the block ends well; add fields through the dict."""
    begun = time.perf_counter()
    more: dict[str, object] = {}
    yield more
    log.info(event, seconds=round(time.perf_counter() - begun, 3), **fields, **more)
