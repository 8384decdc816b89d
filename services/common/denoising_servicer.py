"""What the servicers of the generator and the super-resolver have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

import grpc

from omnireel.api.v1 import capabilities_pb2, generation_pb2
from omnireel.mvl import PromptLimits
from services.common.cancellation import Cancellation
from services.common.convert_generation import check_version, deadline_of, model_info_to_proto
from services.common.denoising import StageProgress
from services.common.model_host import Engine, ModelHost
from services.common.running import RunningCalls
from services.common.streaming import Finished, stream_work

Report = Callable[[StageProgress], None]


class DenoisingRequest(Protocol):
    """What every request for denoising says."""

    @property
    def job(self) -> generation_pb2.JobContext:
        """Whose work it is."""
        ...

    @property
    def model_version(self) -> str:
        """The only version that may serve it; empty: any."""
        ...


E = TypeVar("E", bound=Engine)
Request = TypeVar("Request", bound=DenoisingRequest)
Job = TypeVar("Job")
Files = TypeVar("Files")
Response = TypeVar("Response")


class DenoisingServicer(Generic[E]):
    """One engine whose calls can be stopped and handed over between two steps."""

    def __init__(self, host: ModelHost[E], running: RunningCalls) -> None:
        self._host = host
        self._running = running

    def _answers(
        self,
        request: Request,
        context: grpc.ServicerContext,
        run: Callable[[E, Job, Report, Cancellation], Files],
        *,
        read: Callable[[Request, PromptLimits, str], Job],
        progress: Callable[[StageProgress], Response],
        result: Callable[[Files, str], Response],
    ) -> Iterator[Response]:
        """Each ``progress`` of what ``run`` does with the request's job, then its ``result``."""
        engine = self._host.engine()
        check_version(request.model_version, engine.info)
        job = read(request, engine.info.capabilities.prompt_limits, engine.info.version)
        cancellation = Cancellation.of_call(context, deadline_unix_s=deadline_of(request.job))

        def work(report: Report) -> Files:
            return run(engine, job, report, cancellation)

        for item in self._stream(request.job, work, cancellation):
            if isinstance(item, Finished):
                yield result(item.result, engine.info.version)
            else:
                yield progress(item)

    def _stream(
        self,
        job: generation_pb2.JobContext,
        work: Callable[[Report], Files],
        cancellation: Cancellation,
    ) -> Iterator[StageProgress | Finished[Files]]:
        """The steps of ``work``, which :meth:`Preempt` reaches meanwhile, then what it made."""
        with self._running.known_as(job.job_id, job.fencing_token, cancellation):
            yield from stream_work(work, cancellation)

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
