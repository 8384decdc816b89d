"""Runs one job: claim, stages, settle (:mod:`services.worker.settling`)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import grpc
from sqlalchemy.exc import SQLAlchemyError

from omnireel.api.v1 import media_pb2, video_pb2
from omnireel.errors import (
    Cancelled,
    OmnireelError,
    Unavailable,
)
from omnireel.store import ObjectStore
from services.common.checkpoints import forget_states
from services.common.jobs import (
    DatabaseAway,
    Job,
    JobState,
    JobStore,
    Lease,
    LeaseLost,
    MediaRecord,
    Stage,
    StageOutput,
)
from services.common.logs import bind_call, get_logger
from services.common.stage_costs import finish_cost
from services.common.status import blameless, error_from_rpc
from services.common.telemetry import Telemetry
from services.worker.clients import ModelClients
from services.worker.lease_keeper import LeaseKeeper, StopReason
from services.worker.observer import Outcome, RunObserver
from services.worker.plan import ModelStage, Result, Work, model_stages
from services.worker.poster import make_poster
from services.worker.progress import ProgressWriter
from services.worker.release import ReleaseGate
from services.worker.settling import Backoff, NotTaken, Settler, retry_after

log = get_logger(__name__)

LONGEST_CALL_S = 30 * 86_400.0
"""gRPC ends a call with a timeout of centuries at once; no stage takes this long."""


@dataclass(frozen=True)
class RunnerConfig:
    """Times in seconds; see :class:`services.worker.settings.WorkerSettings`."""

    worker_id: str
    lease_s: float = 15.0
    heartbeat_s: float = 1.0
    backoff_s: float = 1.0
    max_backoff_s: float = 60.0
    progress_interval_s: float = 0.1


class JobRunner:
    """Answers the doorbell. :meth:`run` may be called from several threads at once."""

    def __init__(
        self,
        jobs: JobStore,
        store: ObjectStore,
        clients: ModelClients,
        config: RunnerConfig,
        observer: RunObserver | None = None,
        gate: ReleaseGate | None = None,
    ) -> None:
        self._jobs = jobs
        self._store = store
        self._clients = clients
        self._config = config
        self._observer = observer or RunObserver(Telemetry())
        self._gate = gate or ReleaseGate(store)
        self._settler = Settler(
            jobs, self._observer.metrics, Backoff(config.backoff_s, config.max_backoff_s)
        )
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._keepers: set[LeaseKeeper] = set()
        self._draining = False

    def drain(self, *, finish_s: float = 0.0, handover_s: float = 0.0) -> None:
        """Take no new job, and see to those that run.

        They have ``finish_s`` seconds to finish. Then each stops after its present denoising step,
        keeps its state and is handed back; what has not after ``handover_s`` more is cut off.
        """
        with self._lock:
            self._draining = True
        if self._idle_within(finish_s):
            return
        for keeper in self._running():
            keeper.stop(StopReason.DRAINING)
        if handover_s and not self._idle_within(handover_s):
            for keeper in self._running():
                keeper.abandon()

    def _running(self) -> list[LeaseKeeper]:
        with self._lock:
            return list(self._keepers)

    def _idle_within(self, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self._keepers, seconds)

    def run(self, job_id: str) -> None:
        """Run the job if it is still there to be taken; never raises for what a job does."""
        bind_call(job_id=job_id)
        if self._draining:
            return  # the ring is lost, the job is not: it stays queued and is rung for again
        claimed = self._jobs.claim(job_id, self._config.worker_id, self._config.lease_s)
        if claimed is None:
            log.debug("job is not there to be taken")
            return
        with self._observer.job(claimed[1]) as outcome:
            self._keep_and_run(*claimed, outcome)

    def _keep_and_run(self, lease: Lease, job: Job, outcome: Outcome) -> None:
        log.info("job taken", attempt=job.attempt, token=lease.token)
        keeper = LeaseKeeper(
            self._jobs,
            lease,
            lease_s=self._config.lease_s,
            heartbeat_s=self._config.heartbeat_s,
        )
        with self._lock:
            self._keepers.add(keeper)
        try:
            with keeper:
                self._run_claimed(lease, job, keeper, outcome)
            if outcome.state.terminal:
                self._forget_states(job)
        finally:
            with self._changed:
                self._keepers.discard(keeper)
                self._changed.notify_all()

    def _run_claimed(self, lease: Lease, job: Job, keeper: LeaseKeeper, outcome: Outcome) -> None:
        begun = time.monotonic()
        try:
            self._run_stages(lease, job, keeper)
            self._jobs.succeed(lease)
            outcome.set(JobState.SUCCEEDED)
            log.info("job succeeded", seconds=round(time.monotonic() - begun, 3))
        except LeaseLost as error:
            self._settler.lost(outcome, error)
        except (SQLAlchemyError, DatabaseAway) as error:
            # Without the database nothing can be settled; the lease runs out and another
            # attempt begins after the last finished stage.
            outcome.set(JobState.RUNNING, "DATABASE_FAILED")
            log.error("database failed; the job will be taken back", exc_info=error)
        except Exception as error:  # noqa: BLE001 - whatever it was, the job must say so
            self._settler.settle(lease, job, keeper.reason, error, outcome)

    def _run_stages(self, lease: Lease, job: Job, keeper: LeaseKeeper) -> None:
        request = video_pb2.CreateVideoRequest.FromString(job.body)
        if not self._gate.shows_previews:
            request.preview_every_steps = 0
        outputs = dict(self._jobs.stage_outputs([job.id])[job.id])
        if not outputs:
            self._gate.admit(Work(job, lease, request, outputs))
        stages = model_stages(request)
        writer = ProgressWriter(
            self._jobs,
            lease,
            (*(s.stage for s in stages), Stage.FINISH),
            observe=keeper.observe,
            interval_s=self._config.progress_interval_s,
        )
        for stage in stages:
            if stage.stage in outputs:
                continue
            work = Work(job, lease, request, outputs)
            started_at = time.time()
            with self._observer.stage(stage.stage) as on_step:
                result, first_step = self._run_stage(stage, work, keeper, writer, on_step)
                self._gate.release(work, stage.stage, result)
            output = StageOutput(stage.stage, result.SerializeToString(), started_at, time.time())
            records = tuple(_record(media) for media in stage.media(result))
            self._jobs.save_stage(lease, output, records, stage.cost(work, result, first_step))
            outputs[stage.stage] = output
        if Stage.FINISH not in outputs:
            self._finish(Work(job, lease, request, outputs), keeper, writer)

    def _run_stage(
        self,
        stage: ModelStage,
        work: Work,
        keeper: LeaseKeeper,
        writer: ProgressWriter,
        on_step: Callable[[], None],
    ) -> tuple[Result, int]:
        """One streaming call: its result, and the first step that it made (0: none)."""
        result: Result | None = None
        first_step = 0
        begun = False
        writer.step(stage.stage, 0, 0, 0.0)
        deadline = work.job.deadline
        call = stage.call(self._clients, work, _remaining(deadline))
        try:
            with keeper.watching(call):
                for response in call:
                    begun = True
                    if response.WhichOneof("event") == "result":
                        result = response.result
                        continue
                    at = response.progress
                    if at.step:
                        first_step = first_step or at.step
                        on_step()
                    writer.step(stage.stage, at.step, at.num_steps, at.fraction, at.preview_uri)
        except grpc.RpcError as error:
            failure = error_from_rpc(error)
            if blameless(error, begun=begun):
                raise NotTaken(failure.message, retry_after_s=retry_after(failure)) from error
            raise failure from error
        finally:
            # Also on the way out of a LeaseLost: nothing may go on working for this attempt.
            call.cancel()
        writer.flush()
        if result is None:
            raise Unavailable(f"the {stage.stage.value.lower()} service ended without a result")
        return result, first_step

    def _finish(self, work: Work, keeper: LeaseKeeper, writer: ProgressWriter) -> None:
        if keeper.reason is not None:
            raise Cancelled("stopped before the end")
        with self._observer.stage(Stage.FINISH):
            started_at = time.time()
            poster = make_poster(self._store, work.result, work.output_prefix)
            self._gate.mark_poster(work, poster)
            output = StageOutput(Stage.FINISH, poster.SerializeToString(), started_at, time.time())
            self._jobs.save_stage(work.lease, output, (_record(poster),), finish_cost(output))
        writer.step(Stage.FINISH, 1, 1, 1.0)
        writer.flush()

    def _forget_states(self, job: Job) -> None:
        try:
            forget_states(self._store, job.id)
        except OmnireelError as error:  # they are collected later
            log.warning("checkpoints were not deleted", error=str(error))


def _record(media: media_pb2.Media) -> MediaRecord:
    return MediaRecord(media.uri, media.SerializeToString(), media.size_bytes, media.sha256)


def _remaining(deadline: float | None) -> float | None:
    return None if deadline is None else min(max(deadline - time.time(), 0.0), LONGEST_CALL_S)
