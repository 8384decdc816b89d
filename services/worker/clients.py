"""Channels to the three model services."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import grpc

from omnireel.api.v1 import (
    generation_pb2,
    generator_pb2_grpc,
    prompt_enhancer_pb2_grpc,
    super_resolver_pb2_grpc,
)
from services.common.channels import open_balanced_channel
from services.common.interceptors import call_metadata
from services.common.jobs import Job
from services.common.logs import get_logger
from services.common.tls import ClientTls

log = get_logger(__name__)

PREEMPT_TIMEOUT_S = 5.0


class ResponseStream(Protocol):
    """A running server-streaming call."""

    def __iter__(self) -> Iterator[Any]: ...

    def cancel(self) -> object: ...  # noqa: D102


class ModelCall:
    """A running call to a model service on behalf of one attempt at a job."""

    def __init__(self, stream: ResponseStream, hand_over: Callable[[], bool] | None) -> None:
        self._stream = stream
        self._hand_over = hand_over

    def __iter__(self) -> Iterator[Any]:
        return iter(self._stream)

    def cancel(self) -> None:
        """End it; its work is of no use any more."""
        self._stream.cancel()

    def preempt(self) -> None:
        """Let it stop after its present step and keep its state; where it cannot, end it."""
        if self._hand_over is None or not self._hand_over():
            self.cancel()


class ModelClients:
    """One channel per service, to all its replicas."""

    def __init__(
        self,
        *,
        prompt_enhancer: str,
        generator: str,
        super_resolver: str,
        tls: ClientTls | None = None,
    ) -> None:
        self._channels = [
            open_balanced_channel(address, tls)
            for address in (prompt_enhancer, generator, super_resolver)
        ]
        enhancer, generate, upscale = self._channels
        self.prompt_enhancer = prompt_enhancer_pb2_grpc.PromptEnhancerServiceStub(enhancer)
        self.generator = generator_pb2_grpc.GeneratorServiceStub(generate)
        self.super_resolver = super_resolver_pb2_grpc.SuperResolverServiceStub(upscale)

    def call(
        self,
        method: Any,
        request: Any,
        job: Job,
        timeout_s: float | None,
        preempt: Any = None,
    ) -> ModelCall:
        """Start a streaming call on behalf of ``job``; ``preempt`` is the service's method."""
        metadata = call_metadata(job_id=job.id, request_id=job.request_id)
        stream: ResponseStream = method(request, timeout=timeout_s, metadata=metadata)
        if preempt is None:
            return ModelCall(stream, None)

        def hand_over() -> bool:
            context = request.job
            asked = generation_pb2.PreemptRequest(
                job_id=context.job_id, fencing_token=context.fencing_token
            )
            try:
                return bool(preempt(asked, timeout=PREEMPT_TIMEOUT_S).found)
            except grpc.RpcError as error:
                log.warning("the service cannot be asked to hand over", error=str(error))
                return False

        return ModelCall(stream, hand_over)

    def close(self) -> None:
        """Close the channels."""
        for channel in self._channels:
            channel.close()
