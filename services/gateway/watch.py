"""Progress of one video as a stream, read from SQL.

The events of a job are numbered without gaps, so a resume token is just the number of the last
one seen, and a watcher can go on at any replica.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from omnireel.api.v1 import video_pb2
from omnireel.errors import InvalidInput, Unavailable
from services.common.jobs import Event, Job, JobStore
from services.gateway.convert import event_to_proto
from services.gateway.videos import Videos


@dataclass(frozen=True)
class Watch:
    """What to watch: ``after`` is the last event seen (None: begin with the present state)."""

    caller: str
    job_id: str
    after: int | None = None
    min_interval_s: float = 0.0


class Watcher:
    """Looks for new events every ``poll_s`` seconds."""

    def __init__(
        self, jobs: JobStore, videos: Videos, poll_s: float, stopping: threading.Event
    ) -> None:
        self._jobs = jobs
        self._videos = videos
        self._poll_s = poll_s
        self._stopping = stopping

    def watch(
        self, watch: Watch, is_active: Callable[[], bool]
    ) -> Iterator[video_pb2.VideoProgress]:
        """Events until the final one, which carries the whole video.

        Raises:
            NotFound: there is no such video, or it was deleted meanwhile.
            Unavailable: this replica stops; go on at another one with the resume token.
        """
        job = self._jobs.get(watch.job_id, watch.caller)
        seen = watch.after
        if seen is None:
            seen = job.event_sequence
            yield self._present(job)
            if job.state.terminal:
                return
        last: Event | None = None
        while is_active():
            job = self._jobs.get(watch.job_id, watch.caller)
            events = self._jobs.events_after(watch.job_id, seen)
            for event in events:
                seen = event.sequence
                if event.state.terminal:
                    yield self._present(self._jobs.get(watch.job_id, watch.caller))
                    return
                if last is not None and _too_soon(event, last, watch.min_interval_s):
                    continue
                last = event
                yield _with_token(event_to_proto(event, job.cancel_requested), event.sequence)
            if not events:
                if job.state.terminal and seen >= job.event_sequence:
                    yield self._present(job)  # the watcher had seen it all; say the end again
                    return
                if self._stopping.wait(self._poll_s):
                    raise Unavailable("the gateway stops; watch again with the resume token")

    def _present(self, job: Job) -> video_pb2.VideoProgress:
        video = self._videos.describe([job])[0]
        progress = video_pb2.VideoProgress(
            name=video.name, state=video.state, progress=video.progress
        )
        if job.state.terminal:
            progress.video.CopyFrom(video)
        return _with_token(progress, job.event_sequence)


def read_resume_token(token: str) -> int | None:
    """The number in a token; None for an empty one."""
    if not token:
        return None
    if not (token.isascii() and token.isdigit() and len(token) < 10):
        raise InvalidInput(
            "resume_token is not one that this service gave; leave it empty to begin anew",
            field="resume_token",
        )
    return int(token)


def _with_token(progress: video_pb2.VideoProgress, sequence: int) -> video_pb2.VideoProgress:
    progress.resume_token = str(sequence)
    return progress


def _too_soon(event: Event, last: Event, min_interval_s: float) -> bool:
    same_state = event.state is last.state and not event.message
    same_stage = (event.progress and event.progress.stage) == (
        last.progress and last.progress.stage
    )
    return same_state and same_stage and event.time - last.time < min_interval_s
