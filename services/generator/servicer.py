"""GeneratorService: convert, call, convert."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import grpc

from omnireel.api.v1 import capabilities_pb2, generation_pb2, generator_pb2, generator_pb2_grpc
from services.common.cancellation import Cancellation
from services.common.convert_generation import check_version, deadline_of, model_info_to_proto
from services.common.denoising import StepReport
from services.common.model_host import ModelHost
from services.common.running import RunningCalls
from services.common.streaming import Finished, stream_work
from services.generator.convert import job_from_proto, progress_response, result_response
from services.generator.engine import GeneratorEngine
from services.generator.stage import GeneratedFiles, GenerateStage


class GeneratorServicer(generator_pb2_grpc.GeneratorServiceServicer):
    """Serves one generator engine."""

    def __init__(
        self, host: ModelHost[GeneratorEngine], stage: GenerateStage, running: RunningCalls
    ) -> None:
        self._host = host
        self._stage = stage
        self._running = running

    def Generate(  # noqa: N802
        self, request: generator_pb2.GenerateRequest, context: grpc.ServicerContext
    ) -> Iterator[generator_pb2.GenerateResponse]:
        """Progress, then exactly one result."""
        engine = self._host.engine()
        check_version(request.model_version, engine.info)
        job = job_from_proto(request, engine.info.capabilities.prompt_limits, engine.info.version)
        cancellation = Cancellation.of_call(context, deadline_unix_s=deadline_of(request.job))

        def work(report: Callable[[StepReport], None]) -> GeneratedFiles:
            return self._stage.run(engine, job, report, cancellation)

        with self._running.known_as(request.job.job_id, request.job.fencing_token, cancellation):
            for item in stream_work(work, cancellation):
                if isinstance(item, Finished):
                    yield result_response(item.result, engine.info.version)
                else:
                    yield progress_response(item)

    def Preempt(  # noqa: N802
        self, request: generation_pb2.PreemptRequest, context: grpc.ServicerContext
    ) -> generation_pb2.PreemptResponse:
        """Hand one attempt over."""
        found = self._running.preempt(request.job_id, request.fencing_token)
        return generation_pb2.PreemptResponse(found=found)

    def GetModelInfo(  # noqa: N802
        self, request: capabilities_pb2.GetModelInfoRequest, context: grpc.ServicerContext
    ) -> capabilities_pb2.ModelInfo:
        """What runs here."""
        return model_info_to_proto(self._host.engine().info)
