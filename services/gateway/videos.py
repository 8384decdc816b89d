"""What a caller can do with videos, without gRPC."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Sequence
from typing import TypeVar

from google.longrunning import operations_pb2
from google.protobuf.message import Message

from omnireel.api.v1 import capabilities_pb2, media_pb2, mvl_pb2, video_pb2
from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.store import ObjectStore
from services.common.jobs import Job, JobFilter, JobState, JobStore, NewJob
from services.common.jobs.requests import page_token_after
from services.common.storage.records import StorageRecords
from services.common.telemetry.tracing import current_traceparent
from services.gateway.capabilities import CapabilityBook
from services.gateway.check_fields import MAX_LABELS
from services.gateway.convert import STATES, job_to_operation, job_to_video, seconds_of, timestamp
from services.gateway.fetch import Fetcher
from services.gateway.forecast import Forecast
from services.gateway.library import Library
from services.gateway.resolve import resolve
from services.gateway.settings import GatewaySettings
from services.gateway.webhooks.sender import Webhooks

DEFAULT_PAGE = 50
MAX_PAGE = 1000
MAX_PAGE_BYTES = 3 << 20
"""What one page holds, with room to spare in the 4 MiB that gRPC sends as one message."""

M = TypeVar("M", bound=Message)


class Videos:
    """Jobs as the public API sees them. Nothing is kept here: any replica can answer."""

    def __init__(
        self,
        jobs: JobStore,
        store: ObjectStore,
        library: Library,
        book: CapabilityBook,
        settings: GatewaySettings,
        records: StorageRecords,
        webhooks: Webhooks,
        forecast: Forecast,
        fetcher: Fetcher | None = None,
    ) -> None:
        self._jobs = jobs
        self._store = store
        self._library = library
        self._book = book
        self._settings = settings
        self._records = records
        self._webhooks = webhooks
        self._fetcher = fetcher
        self._forecast = forecast

    def create(self, caller: str, request: video_pb2.CreateVideoRequest) -> Job:
        """Accept a job, or give back the one that the same request made before."""
        digest = _digest(request)
        known = self._jobs.find_request(caller, request.request_id, digest)
        if known is not None:
            return known
        self._records.check_room(caller)
        self._webhooks.check(request.webhook_url)
        if self._fetcher is not None:
            request = self._fetcher.localise(caller, request)
        inputs: set[str] = set()

        def find(uri: str) -> media_pb2.Media | None:
            media = self._library.find(caller, uri)
            if media is not None and media.sha256:  # a preview has no record, and does not stay
                inputs.add(uri)
            return media

        resolved = resolve(request, self._book.current(), find, time.time())
        fmt = resolved.settings.format
        has_deadline = request.HasField("deadline")
        job, _ = self._jobs.submit(
            NewJob(
                caller=caller,
                body=resolved.SerializeToString(deterministic=True),
                request_id=request.request_id,
                request_digest=digest,
                labels=dict(request.labels),
                priority=request.priority,
                deadline=seconds_of(request.deadline) if has_deadline else None,
                video_seconds=fmt.num_frames / fmt.fps,
                max_attempts=self._settings.max_attempts,
                inputs=tuple(inputs),
                traceparent=current_traceparent(),
                webhook_url=request.webhook_url,
            ),
            max_queued=self._settings.max_queued_jobs,
        )
        return job

    def get(self, caller: str, job_id: str, *, operation: bool = False) -> Job:
        """The caller's job, or NotFound."""
        return self._jobs.get(job_id, caller, operation=operation)

    def list_videos(
        self, caller: str, page_size: int, page_token: str, job_filter: JobFilter
    ) -> video_pb2.ListVideosResponse:
        """A page of the caller's videos, newest first."""
        jobs, token = self.page(caller, page_size, page_token, job_filter)
        videos, token = _fitting(jobs, self.describe(jobs), token)
        return video_pb2.ListVideosResponse(videos=videos, next_page_token=token)

    def list_operations(
        self, caller: str, page_size: int, page_token: str
    ) -> operations_pb2.ListOperationsResponse:
        """A page of the caller's operations, newest first."""
        job_filter = JobFilter(with_deleted_operations=False)
        jobs, token = self.page(caller, page_size, page_token, job_filter)
        described = zip(jobs, self.describe(jobs), strict=True)
        operations = [job_to_operation(job, video) for job, video in described]
        operations, token = _fitting(jobs, operations, token)
        return operations_pb2.ListOperationsResponse(operations=operations, next_page_token=token)

    def page(
        self,
        caller: str,
        page_size: int,
        page_token: str,
        job_filter: JobFilter,
        *,
        after: Job | None = None,
        oldest_first: bool = False,
    ) -> tuple[list[Job], str]:
        """Jobs, newest first unless told otherwise, and the token of the next page.

        ``after`` is the last job seen, for callers that remember it instead of a token.
        """
        if not 0 <= page_size <= MAX_PAGE:
            raise InvalidInput(
                f"page_size must be 1..{MAX_PAGE}, or 0 for {DEFAULT_PAGE}", field="page_size"
            )
        page = self._jobs.list_jobs(
            caller,
            page_size=page_size or DEFAULT_PAGE,
            page_token=page_token,
            job_filter=job_filter,
            after=after,
            oldest_first=oldest_first,
        )
        return list(page.jobs), page.next_page_token

    def cancel(self, caller: str, job_id: str, *, operation: bool = False) -> None:
        """Ask the job to stop; a finished one stays as it is."""
        self._jobs.get(job_id, caller, operation=operation)
        self._jobs.request_cancel(job_id)

    def delete(self, caller: str, job_id: str) -> None:
        """Cancel the job if need be, then remove its objects and its row."""
        job = self.cancel_and_wait(caller, job_id)
        if not job.state.terminal:
            raise FailedPrecondition(
                f"video {job_id!r} is being cancelled; delete it again in a moment",
                reason="JOB_NOT_FINISHED",
            )
        # The row first: it refuses while another job reads the outputs. If this is cut off, the
        # collector finds objects without a row.
        self._jobs.delete(job_id)
        for info in list(self._store.list(f"jobs/{job_id}/")):
            self._store.delete(info.uri)

    def cancel_and_wait(self, caller: str, job_id: str) -> Job:
        """Cancel, and give the worker some time to stop."""
        job = self._jobs.get(job_id, caller)
        if job.state.terminal:
            return job
        job = self._jobs.request_cancel(job_id)
        until = time.monotonic() + self._settings.delete_wait_s
        while not job.state.terminal and time.monotonic() < until:
            time.sleep(self._settings.watch_poll_s)
            job = self._jobs.get(job_id, caller)
        return job

    def forget_operation(self, caller: str, job_id: str) -> None:
        """Delete the operation; the video stays."""
        self._jobs.get(job_id, caller, operation=True)
        self._jobs.delete_operation(job_id)

    def capabilities(self) -> capabilities_pb2.Capabilities:
        """What can be asked for."""
        return self._book.current()

    def describe(self, jobs: Collection[Job]) -> list[video_pb2.Video]:
        """Jobs as resources."""
        outputs = self._jobs.stage_outputs([job.id for job in jobs])
        waiting = [job.id for job in jobs if job.state is JobState.QUEUED]
        positions = self._jobs.queue_positions(waiting) if waiting else {}
        callers = {job.caller for job in jobs}
        ttls_s = {caller: self._records.policy(caller).result_ttl_s for caller in callers}
        videos: list[video_pb2.Video] = []
        for job in jobs:
            position = positions.get(job.id, 0)
            video = job_to_video(job, outputs[job.id], position, self._eta_s(job))
            if job.finished_at is not None and ttls_s[job.caller]:
                video.expire_time.CopyFrom(timestamp(job.finished_at + ttls_s[job.caller]))
            for name in ("video", "base", "upscaled", "poster"):
                if video.outputs.HasField(name):
                    self._library.signed(job.caller, getattr(video.outputs, name))
            videos.append(video)
        return videos

    def _eta_s(self, job: Job) -> float | None:
        if job.state is JobState.QUEUED:
            expected = self._forecast.waiting([job.id]).get(job.id)
            return expected.eta_s if expected else None
        if job.state.terminal:
            return None
        request = video_pb2.CreateVideoRequest.FromString(job.body)
        return self._forecast.running_s(request, job.progress, job.updated_at)

    def source_of(self, video: video_pb2.Video) -> str | None:
        """The id of the video that ``video`` is an edit of, when that was made here."""
        for declared in video.prompt.inputs:
            if declared.role == mvl_pb2.ROLE_SOURCE:
                return self._library.job_of(declared.uri)
        return None

    def describe_operation(self, job: Job) -> operations_pb2.Operation:
        """A job as an operation."""
        return job_to_operation(job, self.describe([job])[0])

    def describe_created(self, job: Job) -> operations_pb2.Operation:
        """The answer to the creation of ``job``. A new one has no queue position yet: finding it
        costs more than creating the job, and callers who need it can poll or watch."""
        if job.event_sequence > 1:  # an old one, made by the same request before
            return self.describe_operation(job)
        return job_to_operation(job, job_to_video(job, {}))


def states_filter(
    states: Collection[video_pb2.VideoState.ValueType], labels: dict[str, str]
) -> JobFilter:
    """The filter that the public states mean."""
    by_number = {number: state for state, number in STATES.items()}
    listed = set(states)
    cancelling = video_pb2.VIDEO_STATE_CANCELLING in listed
    listed.discard(video_pb2.VIDEO_STATE_CANCELLING)
    unknown = [str(number) for number in listed if number not in by_number]
    if unknown:
        raise InvalidInput(f"there is no state {', '.join(unknown[:3])}", field="states")
    if len(labels) > MAX_LABELS:
        raise InvalidInput(f"at most {MAX_LABELS}; there are {len(labels)}", field="labels")
    return JobFilter(tuple(by_number[number] for number in listed), cancelling, labels)


def _fitting(jobs: Sequence[Job], messages: list[M], token: str) -> tuple[list[M], str]:
    """As many of ``messages``, one for each job, as one answer holds, and the token of the rest."""
    size = 0
    for number, message in enumerate(messages):
        size += message.ByteSize()
        if number and size > MAX_PAGE_BYTES:
            return messages[:number], page_token_after(jobs[number - 1])
    return messages, token


def _digest(request: video_pb2.CreateVideoRequest) -> str:
    return hashlib.sha256(request.SerializeToString(deterministic=True)).hexdigest()
