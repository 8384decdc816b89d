"""Spans of one process, and the W3C trace context that joins them to those of the others.

The context travels in the metadata of every call, and with the job itself through the queue, so
that one job is one trace, however long it waited and however many workers took it up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from omnireel.errors import FailedPrecondition

TRACEPARENT = "traceparent"
_PROPAGATOR = TraceContextTextMapPropagator()


class Tracing:
    """Makes spans. Without a tracer it makes none, and still passes on what a caller sent."""

    def __init__(self, tracer: Tracer | None = None) -> None:
        self._tracer = tracer or trace.NoOpTracer()

    @contextmanager
    def span(
        self,
        name: str,
        *,
        parent: str = "",
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Mapping[str, str | int] | None = None,
    ) -> Iterator[Span]:
        """A span around the block, which must begin and end on one thread.

        ``parent`` is a ``traceparent``; empty: the span that is open on this thread, if any.
        """
        with self._tracer.start_as_current_span(
            name,
            context=_context(parent) if parent else None,
            kind=kind,
            attributes=attributes,
            record_exception=False,
        ) as span:
            yield span

    def begin(self, name: str, *, parent: str, kind: SpanKind) -> Span:
        """A span for a stream, whose beginning and end may be on two threads; ``end`` it."""
        return self._tracer.start_span(name, context=_context(parent), kind=kind)

    def past(self, name: str, *, parent: str, begun: float, ended: float) -> None:
        """A span that is over: from ``begun`` to ``ended``, seconds of the epoch."""
        span = self._tracer.start_span(
            name, context=_context(parent), start_time=round(begun * 1e9)
        )
        span.end(round(ended * 1e9))


def traceparent_of(span: Span) -> str:
    """What a child in another process needs; empty outside of every trace."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, trace.set_span_in_context(span, otel_context.Context()))
    return carrier.get(TRACEPARENT, "")


def current_traceparent() -> str:
    """That of the span that is open on this thread."""
    return traceparent_of(trace.get_current_span())


def trace_id_of(traceparent: str) -> str:
    """The 32 hexadecimal digits that all spans of a trace share; empty for none."""
    parts = traceparent.split("-")
    return parts[1] if len(parts) == 4 else ""


def failed(span: Span, reason: str) -> None:
    """Mark what the span stands for as failed."""
    span.set_status(Status(StatusCode.ERROR, reason))


def _context(traceparent: str) -> otel_context.Context:
    return _PROPAGATOR.extract({TRACEPARENT: traceparent}, otel_context.Context())


class Exporter:
    """Sends the spans of ``service`` to an OTLP collector (gRPC), in the background."""

    def __init__(self, service: str, endpoint: str) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError as error:
            raise FailedPrecondition(
                "otlp_endpoint is set, and the exporter is not installed; "
                "pip install 'omnireel[otlp]', or leave the setting out"
            ) from error
        secure = endpoint.startswith("https://")
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": f"omnireel-{service}"})
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(endpoint, insecure=not secure))
        )
        self.tracing = Tracing(self._provider.get_tracer("omnireel"))

    def close(self) -> None:
        """Send what waits, and stop."""
        self._provider.shutdown()
