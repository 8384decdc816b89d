"""Channels to the three model services."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from omnireel.api.v1 import generator_pb2_grpc, prompt_enhancer_pb2_grpc, super_resolver_pb2_grpc
from services.common.interceptors import call_metadata
from services.common.jobs import Job
from services.common.tls import ClientTls, open_channel

CHANNEL_OPTIONS = (
    # A service that comes back is found within seconds; gRPC's default waits up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.enable_http_proxy", 0),
)


class ResponseStream(Protocol):
    """A running server-streaming call."""

    def __iter__(self) -> Iterator[Any]: ...

    def cancel(self) -> object: ...  # noqa: D102


class ModelClients:
    """One channel per service; gRPC balances over the addresses that a name stands for."""

    def __init__(
        self,
        *,
        prompt_enhancer: str,
        generator: str,
        super_resolver: str,
        tls: ClientTls | None = None,
    ) -> None:
        self._channels = [
            open_channel(address, tls, CHANNEL_OPTIONS)
            for address in (prompt_enhancer, generator, super_resolver)
        ]
        enhancer, generate, upscale = self._channels
        self.prompt_enhancer = prompt_enhancer_pb2_grpc.PromptEnhancerServiceStub(enhancer)
        self.generator = generator_pb2_grpc.GeneratorServiceStub(generate)
        self.super_resolver = super_resolver_pb2_grpc.SuperResolverServiceStub(upscale)

    def call(
        self, method: Any, request: object, job: Job, timeout_s: float | None
    ) -> ResponseStream:
        """Start a streaming call on behalf of ``job``."""
        metadata = call_metadata(job_id=job.id, request_id=job.request_id)
        stream: ResponseStream = method(request, timeout=timeout_s, metadata=metadata)
        return stream

    def close(self) -> None:
        """Close the channels."""
        for channel in self._channels:
            channel.close()
