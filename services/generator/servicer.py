"""GeneratorService: convert, call, convert."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from omnireel.api.v1 import generator_pb2, generator_pb2_grpc
from services.common.denoising_servicer import DenoisingServicer
from services.common.model_host import ModelHost
from services.common.running import RunningCalls
from services.generator.convert import job_from_proto, progress_response, result_response
from services.generator.engine import GeneratorEngine
from services.generator.stage import GenerateStage


class GeneratorServicer(
    DenoisingServicer[GeneratorEngine], generator_pb2_grpc.GeneratorServiceServicer
):
    """Serves one generator engine."""

    def __init__(
        self, host: ModelHost[GeneratorEngine], stage: GenerateStage, running: RunningCalls
    ) -> None:
        super().__init__(host, running)
        self._stage = stage

    def Generate(  # noqa: N802
        self, request: generator_pb2.GenerateRequest, context: grpc.ServicerContext
    ) -> Iterator[generator_pb2.GenerateResponse]:
        """Progress, then exactly one result."""
        return self._answers(
            request,
            context,
            self._stage.run,
            read=job_from_proto,
            progress=progress_response,
            result=result_response,
        )
