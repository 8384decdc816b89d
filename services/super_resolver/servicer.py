"""SuperResolverService: convert, call, convert."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from omnireel.api.v1 import super_resolver_pb2, super_resolver_pb2_grpc
from services.common.denoising_servicer import DenoisingServicer
from services.common.model_host import ModelHost
from services.common.running import RunningCalls
from services.super_resolver.convert import job_from_proto, progress_response, result_response
from services.super_resolver.engine import SuperResolverEngine
from services.super_resolver.stage import UpscaleStage


class SuperResolverServicer(
    DenoisingServicer[SuperResolverEngine], super_resolver_pb2_grpc.SuperResolverServiceServicer
):
    """Serves one super-resolver engine."""

    def __init__(
        self, host: ModelHost[SuperResolverEngine], stage: UpscaleStage, running: RunningCalls
    ) -> None:
        super().__init__(host, running)
        self._stage = stage

    def Upscale(  # noqa: N802
        self, request: super_resolver_pb2.UpscaleRequest, context: grpc.ServicerContext
    ) -> Iterator[super_resolver_pb2.UpscaleResponse]:
        """Progress, then exactly one result."""
        return self._answers(
            request,
            context,
            self._stage.run,
            read=job_from_proto,
            progress=progress_response,
            result=result_response,
        )
