"""What a job is. Times are seconds since the epoch; the store knows nothing of protobuf.

States and who moves them::

    QUEUED --claim--> RUNNING --succeed--> SUCCEEDED
      ^  |               |  |----fail----> FAILED      (attempts used up, or no retry helps)
      |  |               |  '---cancel---> CANCELLED
      |  '--cancel--> CANCELLED    (at once: nobody works on it)
      '--release, retry, expired lease-'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from omnireel.errors import FailedPrecondition, FieldViolation


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def terminal(self) -> bool:
        """Whether the job will never change again."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class Stage(StrEnum):
    """The stages of a job, in order: one per model, then the tidying up."""

    ENHANCE = "ENHANCE"
    GENERATE = "GENERATE"
    UPSCALE = "UPSCALE"
    FINISH = "FINISH"


class LeaseLost(FailedPrecondition):
    """The write came from a worker that no longer holds the job; nothing was written."""

    reason = "LEASE_LOST"


@dataclass(frozen=True)
class JobError:
    """Why a job failed. ``code`` is a google.rpc.Code; ``retryable``: the same request may work
    later."""

    code: int
    message: str
    reason: str = "INTERNAL"
    retryable: bool = False
    violations: tuple[FieldViolation, ...] = ()


@dataclass(frozen=True)
class Progress:
    """One step of one stage is done. ``fraction`` is of the whole job, 0..1."""

    stage: Stage
    step: int
    num_steps: int
    fraction: float
    preview_uri: str = ""


@dataclass(frozen=True)
class NewJob:
    """What a caller submits.

    ``body`` is what the worker will run. ``request_id`` is unique per caller (empty: no
    idempotency) and ``request_digest`` tells whether a repeated request is the same.
    ``video_seconds`` is what the job costs its tenant.
    ``inputs`` are the URIs of the caller's media that the job will read.
    """

    caller: str
    body: bytes
    request_id: str = ""
    request_digest: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    priority: int = 0
    deadline: float | None = None
    video_seconds: float = 1.0
    max_attempts: int = 3
    inputs: tuple[str, ...] = ()
    traceparent: str = ""
    webhook_url: str = ""


@dataclass(frozen=True)
class Job:
    """One row, as read. ``token`` is the fencing token: it grows by one at every claim."""

    id: str
    caller: str
    request_id: str
    body: bytes
    state: JobState
    cancel_requested: bool
    priority: int
    deadline: float | None
    attempt: int
    max_attempts: int
    token: int
    lease_owner: str
    lease_expires: float | None
    event_sequence: int
    progress: Progress | None
    error: JobError | None
    created_at: float
    updated_at: float
    started_at: float | None
    finished_at: float | None
    traceparent: str = ""


@dataclass(frozen=True)
class Lease:
    """The right of ``owner`` to write to a job until somebody else claims it."""

    job_id: str
    owner: str
    token: int


@dataclass(frozen=True)
class Heartbeat:
    """What a worker learns when it renews a lease."""

    cancel_requested: bool
    deadline: float | None


@dataclass(frozen=True)
class StageOutput:
    """What a finished stage left for the next one: its response, serialised, and when it ran."""

    stage: Stage
    data: bytes
    started_at: float
    finished_at: float


@dataclass(frozen=True)
class MediaRecord:
    """What is known of a stored object; ``data`` is its description, serialised."""

    uri: str
    data: bytes
    size_bytes: int = 0
    sha256: str = ""


@dataclass(frozen=True)
class Event:
    """One change of one job. ``sequence`` counts 1, 2, 3, ... within the job without gaps."""

    job_id: str
    sequence: int
    time: float
    state: JobState
    progress: Progress | None = None
    message: str = ""


@dataclass(frozen=True)
class JobFilter:
    """Which jobs to list. ``cancelling`` picks running ones that were asked to stop, which
    ``states`` = RUNNING leaves out. Nothing set: all."""

    states: tuple[JobState, ...] = ()
    cancelling: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    with_deleted_operations: bool = True


@dataclass(frozen=True)
class Page:
    """A page of jobs, newest first; ``next_page_token`` is empty on the last one."""

    jobs: tuple[Job, ...] = field(default=())
    next_page_token: str = ""
