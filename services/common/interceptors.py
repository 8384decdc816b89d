"""The interceptor around every call: its ids in the log, its span, its time, its errors as status.

Nothing else in the services translates errors; servicers raise what the library raises.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import grpc
from google.rpc import code_pb2
from grpc_status import rpc_status
from opentelemetry import trace
from opentelemetry.trace import SpanKind

from omnireel.errors import OmnireelError
from services.common.logs import bind_call, get_logger
from services.common.status import new_error_id, status_from_error
from services.common.telemetry import Telemetry, trace_id_of
from services.common.telemetry.tracing import (
    TRACEPARENT,
    current_traceparent,
    failed,
    traceparent_of,
)

log = get_logger(__name__)

REQUEST_ID_KEY = "x-request-id"
JOB_ID_KEY = "x-job-id"


def call_metadata(*, job_id: str = "", request_id: str = "") -> tuple[tuple[str, str], ...]:
    """Metadata that makes a callee log and trace under the same ids.

    ``stub.Generate(..., metadata=call_metadata(...))``, inside the span that it belongs to.
    """
    pairs = (
        (JOB_ID_KEY, job_id),
        (REQUEST_ID_KEY, request_id),
        (TRACEPARENT, current_traceparent()),
    )
    return tuple((key, value) for key, value in pairs if value)


class CallInterceptor(grpc.ServerInterceptor):
    """Wraps every method but those of health, which passes through untouched."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def intercept_service(
        self, continuation: Callable[[Any], Any], handler_call_details: Any
    ) -> Any:
        """Give back the method's handler with its behaviour wrapped."""
        handler = continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or method.startswith("/grpc.health."):
            return handler
        wrap = _wrap_stream if handler.response_streaming else _wrap_single
        return wrap_handler(handler, lambda behavior: wrap(method, behavior, self._telemetry))


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


def _wrap_single(
    method: str, behavior: Callable[[Any, Any], Any], telemetry: Telemetry
) -> Callable[[Any, Any], Any]:
    def call(request: Any, context: Any) -> Any:
        with _Call(method, request, context, telemetry) as here, trace.use_span(here.span):
            try:
                return behavior(request, context)
            except Exception as error:  # noqa: BLE001 - everything becomes a status here
                here.abort(error)

    return call


def _wrap_stream(
    method: str, behavior: Callable[[Any, Any], Iterator[Any]], telemetry: Telemetry
) -> Callable[[Any, Any], Iterator[Any]]:
    def call(request: Any, context: Any) -> Iterator[Any]:
        with _Call(method, request, context, telemetry) as here:
            try:
                yield from behavior(request, context)
            except Exception as error:  # noqa: BLE001 - everything becomes a status here
                here.abort(error)

    return call


class _Call:
    """One call, from its first line in the log to its last."""

    def __init__(self, method: str, request: Any, context: Any, telemetry: Telemetry) -> None:
        self._method = method
        self._context = context
        self._telemetry = telemetry
        self._begun = time.perf_counter()
        self._code = "OK"
        metadata: dict[str, str] = dict(context.invocation_metadata() or ())
        self.span = telemetry.tracing.begin(
            method.lstrip("/"), parent=metadata.get(TRACEPARENT, ""), kind=SpanKind.SERVER
        )
        job = getattr(request, "job", None)
        job_id = metadata.get(JOB_ID_KEY) or str(getattr(job, "job_id", ""))
        request_id = metadata.get(REQUEST_ID_KEY) or getattr(request, "request_id", "")
        if job_id:
            self.span.set_attribute("omnireel.job_id", job_id)
        bind_call(
            request_id=request_id or uuid.uuid4().hex[:12],
            job_id=job_id,
            trace_id=trace_id_of(traceparent_of(self.span)),
        )

    def __enter__(self) -> _Call:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if kind is GeneratorExit:
            self._code = "CANCELLED"  # whoever called has gone
        seconds = time.perf_counter() - self._begun
        self._telemetry.rpc.seconds.labels(self._method, self._code).observe(seconds)
        if self._code != "OK":
            failed(self.span, self._code)
        self.span.end()
        log.debug("call done", method=self._method, code=self._code, seconds=self._seconds())

    def abort(self, error: Exception) -> NoReturn:
        """End the call with the status that ``error`` stands for."""
        fields = {"method": self._method, "seconds": self._seconds()}
        if isinstance(error, OmnireelError) and type(error) is not OmnireelError:
            status = status_from_error(error)
            log.warning("call failed", reason=error.reason, error=str(error), **fields)
        else:
            error_id = new_error_id()
            status = status_from_error(error, error_id=error_id)
            log.error("call broke", error_id=error_id, exc_info=error, **fields)
        self._code = code_pb2.Code.Name(status.code)
        self._context.abort_with_status(rpc_status.to_status(status))
        raise AssertionError("abort_with_status raises") from error

    def _seconds(self) -> float:
        return round(time.perf_counter() - self._begun, 3)
