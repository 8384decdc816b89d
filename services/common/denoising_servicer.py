"""What the servicers of the generator and the super-resolver have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import grpc

from omnireel.api.v1 import capabilities_pb2, generation_pb2
from services.common.cancellation import Cancellation
from services.common.convert_generation import check_version, deadline_of, model_info_to_proto
from services.common.denoising import StepReport
from services.common.model_host import Engine, ModelHost
from services.common.running import RunningCalls
from services.common.streaming import Finished, stream_work

E = TypeVar("E", bound=Engine)
R = TypeVar("R")

Work = Callable[[Callable[[StepReport], None], Cancellation], R]
"""``work(report, cancellation)`` gives back what was made."""


class DenoisingServicer(Generic[E]):
    """One engine whose calls can be stopped and handed over between two steps."""

    def __init__(self, host: ModelHost[E], running: RunningCalls) -> None:
        self._host = host
        self._running = running

    def _engine(self, model_version: str) -> E:
        """The engine, when it is of the version that the request pins."""
        engine = self._host.engine()
        check_version(model_version, engine.info)
        return engine

    def _stream(
        self, job: generation_pb2.JobContext, context: grpc.ServicerContext, work: Work[R]
    ) -> Iterator[StepReport | Finished[R]]:
        """The steps of ``work``, then what it gave back."""
        cancellation = Cancellation.of_call(context, deadline_unix_s=deadline_of(job))

        def run(report: Callable[[StepReport], None]) -> R:
            return work(report, cancellation)

        with self._running.known_as(job.job_id, job.fencing_token, cancellation):
            yield from stream_work(run, cancellation)

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
