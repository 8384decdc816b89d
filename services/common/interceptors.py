"""The one interceptor: binds a call's ids to the log context and turns exceptions into status.

Nothing else in the services translates errors; servicers raise what the library raises.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import grpc
from grpc_status import rpc_status

from omnireel.errors import OmnireelError
from services.common.logs import bind_call, get_logger
from services.common.status import new_error_id, status_from_error

log = get_logger(__name__)

REQUEST_ID_KEY = "x-request-id"
JOB_ID_KEY = "x-job-id"


def call_metadata(*, job_id: str = "", request_id: str = "") -> tuple[tuple[str, str], ...]:
    """Metadata that makes a callee log under the same ids: ``stub.Generate(..., metadata=...)``."""
    pairs = ((JOB_ID_KEY, job_id), (REQUEST_ID_KEY, request_id))
    return tuple((key, value) for key, value in pairs if value)


class ErrorInterceptor(grpc.ServerInterceptor):
    """Wraps every method but those of health, which passes through untouched."""

    def intercept_service(
        self, continuation: Callable[[Any], Any], handler_call_details: Any
    ) -> Any:
        """Give back the method's handler with its behaviour wrapped."""
        handler = continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or method.startswith("/grpc.health."):
            return handler
        wrap = _wrap_stream if handler.response_streaming else _wrap_single
        return wrap_handler(handler, lambda behavior: wrap(method, behavior))


def wrap_handler(handler: Any, wrap: Callable[[Callable[[Any, Any], Any]], Any]) -> Any:
    """The same method handler with its behaviour replaced by ``wrap(behaviour)``."""
    for kind in ("unary_unary", "unary_stream", "stream_unary", "stream_stream"):
        behavior = getattr(handler, kind)
        if behavior is not None:
            make = getattr(grpc, f"{kind}_rpc_method_handler")
            return make(
                wrap(behavior),
                request_deserializer=handler.request_deserializer,
                response_serializer=handler.response_serializer,
            )
    return handler


def _wrap_single(method: str, behavior: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def call(request: Any, context: Any) -> Any:
        begun = _begin(request, context)
        try:
            response = behavior(request, context)
        except Exception as error:  # noqa: BLE001 - everything becomes a status here
            _abort(method, context, error, begun)
        log.debug("call done", method=method, seconds=_since(begun))
        return response

    return call


def _wrap_stream(
    method: str, behavior: Callable[[Any, Any], Iterator[Any]]
) -> Callable[[Any, Any], Iterator[Any]]:
    def call(request: Any, context: Any) -> Iterator[Any]:
        begun = _begin(request, context)
        try:
            yield from behavior(request, context)
        except Exception as error:  # noqa: BLE001 - everything becomes a status here
            _abort(method, context, error, begun)
        log.debug("call done", method=method, seconds=_since(begun))

    return call


def _begin(request: Any, context: Any) -> float:
    metadata: dict[str, str] = dict(context.invocation_metadata() or ())
    request_id = metadata.get(REQUEST_ID_KEY) or getattr(request, "request_id", "")
    job = getattr(request, "job", None)
    bind_call(
        request_id=request_id or uuid.uuid4().hex[:12],
        job_id=metadata.get(JOB_ID_KEY) or str(getattr(job, "job_id", "")),
    )
    return time.perf_counter()


def _abort(method: str, context: Any, error: Exception, begun: float) -> NoReturn:
    seconds = _since(begun)
    if isinstance(error, OmnireelError) and type(error) is not OmnireelError:
        status = status_from_error(error)
        log.warning(
            "call failed", method=method, reason=error.reason, error=str(error), seconds=seconds
        )
    else:
        error_id = new_error_id()
        status = status_from_error(error, error_id=error_id)
        log.error("call broke", method=method, error_id=error_id, seconds=seconds, exc_info=error)
    context.abort_with_status(rpc_status.to_status(status))
    raise AssertionError("abort_with_status raises") from error


def _since(begun: float) -> float:
    return round(time.perf_counter() - begun, 3)
