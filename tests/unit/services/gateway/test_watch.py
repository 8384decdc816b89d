from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from omnireel.api.v1 import video_pb2
from omnireel.errors import InvalidInput, NotFound, ResourceExhausted, Unavailable
from omnireel.store import open_store
from services.common.jobs import JobState, JobStore, Lease, NewJob, Progress, Stage
from services.common.settings import load_settings
from services.common.storage.policy import StoragePolicy
from services.common.storage.records import StorageRecords
from services.gateway.capabilities import CapabilityBook
from services.gateway.forecast import Forecast
from services.gateway.library import Library
from services.gateway.settings import GatewaySettings
from services.gateway.videos import Videos
from services.gateway.watch import Watch, Watcher, read_resume_token
from services.gateway.watch_hub import WatchHub
from services.gateway.webhooks.sender import Webhooks
from services.gateway.webhooks.settings import WebhookSettings
from tests.support.jobs import Clock, new_store

STEPS = [Progress(Stage.GENERATE, n, 4, n / 4) for n in range(1, 5)]


def stays(_call_when_left: Callable[[], None]) -> bool:
    return True


class Setup:
    def __init__(self, folder: Path, settings: GatewaySettings) -> None:
        self.clock = Clock()
        self.jobs: JobStore = new_store(folder, self.clock)
        store = open_store(settings.store_url)
        self.book = CapabilityBook(settings)
        library = Library(self.jobs, store, 60)
        forecast = Forecast(self.jobs, self.clock)
        videos = Videos(
            self.jobs,
            store,
            library,
            self.book,
            settings,
            StorageRecords(self.jobs.database, StoragePolicy()),
            Webhooks(self.jobs.database, None, load_settings(WebhookSettings)),
            forecast,
        )
        self.hub = WatchHub(self.jobs, forecast, poll_s=0.01, max_watchers=3)
        self.hub.start()
        self.watcher = Watcher(self.jobs, videos, self.hub, forecast)
        request = video_pb2.CreateVideoRequest(enhance=False, upscale=False)
        self.job_id = self.jobs.submit(NewJob("me", request.SerializeToString()))[0].id

    def watch(self, after: int | None = None, **more: float) -> Iterator[video_pb2.VideoProgress]:
        return self.watcher.watch(Watch("me", self.job_id, after, **more), stays)

    def claim(self) -> Lease:
        claimed = self.jobs.claim(self.job_id, "w", 1000)
        assert claimed
        return claimed[0]


@pytest.fixture
def s(tmp_path: Path, settings: GatewaySettings) -> Iterator[Setup]:
    made = Setup(tmp_path, settings)
    yield made
    made.hub.stop()
    made.book.close()
    made.jobs.close()


def test_from_the_present_state_to_the_end(s: Setup) -> None:
    events = s.watch()
    assert next(events).state == video_pb2.VIDEO_STATE_QUEUED
    lease = s.claim()
    assert next(events).state == video_pb2.VIDEO_STATE_RUNNING
    s.jobs.record_progress(lease, STEPS)
    assert [next(events).progress.step for _ in STEPS] == [1, 2, 3, 4]
    s.jobs.succeed(lease)
    last = next(events)
    assert last.state == video_pb2.VIDEO_STATE_SUCCEEDED
    assert last.video.name == f"videos/{s.job_id}" and last.progress.fraction == 1.0
    assert list(events) == []


def test_goes_on_where_it_was_broken_off(s: Setup) -> None:
    lease = s.claim()
    first = s.watch(after=0)
    assert [next(first).resume_token for _ in range(2)] == ["1", "2"]
    s.jobs.record_progress(lease, STEPS[:2])
    token = next(first).resume_token
    s.jobs.record_progress(lease, STEPS[2:])
    s.jobs.succeed(lease)
    rest = list(s.watch(after=read_resume_token(token)))
    assert [event.progress.step for event in rest[:-1]] == [2, 3, 4]
    assert [event.resume_token for event in rest] == ["4", "5", "6", "7"]
    assert rest[-1].HasField("video")


def test_end_is_said_again_to_who_has_seen_it(s: Setup) -> None:
    s.jobs.request_cancel(s.job_id)
    end = list(s.watch())
    assert [event.state for event in end] == [video_pb2.VIDEO_STATE_CANCELLED]
    assert list(s.watch(after=int(end[0].resume_token))) == end


def test_cancelling_is_seen(s: Setup) -> None:
    lease = s.claim()
    events = s.watch()
    next(events)
    s.jobs.request_cancel(s.job_id)
    assert next(events).state == video_pb2.VIDEO_STATE_CANCELLING
    s.jobs.cancelled(lease)
    assert next(events).state == video_pb2.VIDEO_STATE_CANCELLED


def test_min_interval_thins_out_steps_but_not_states(s: Setup) -> None:
    lease = s.claim()
    for step in STEPS:
        s.clock.tick(0.4)
        s.jobs.record_progress(lease, [step])
    s.jobs.succeed(lease)
    steps = [event.progress.step for event in s.watch(after=2, min_interval_s=1.0)]
    assert steps == [1, 4, 4]  # 0.4 s, 1.6 s, and the end


def test_deleted_while_watched(s: Setup) -> None:
    events = s.watch()
    next(events)
    s.jobs.request_cancel(s.job_id)
    s.jobs.delete(s.job_id)
    with pytest.raises(NotFound):
        next(events)


def test_stopping_gateway_sends_watchers_elsewhere(s: Setup) -> None:
    events = s.watch()
    next(events)
    s.hub.stop()
    with pytest.raises(Unavailable, match="resume token"):
        next(events)


def test_watcher_that_left(s: Setup) -> None:
    assert list(s.watcher.watch(Watch("me", s.job_id), lambda leave: False)) == []
    leaving: list[Callable[[], None]] = []
    events = s.watcher.watch(Watch("me", s.job_id), lambda leave: leaving.append(leave) or True)
    assert next(events).state == video_pb2.VIDEO_STATE_QUEUED
    assert s.hub.count == 1
    leaving[0]()
    assert list(events) == []
    assert s.hub.count == 0


def test_a_full_house_says_so(s: Setup) -> None:
    inside = [s.watch() for _ in range(3)]
    for events in inside:
        next(events)
    with pytest.raises(ResourceExhausted) as caught:
        next(s.watch())
    assert caught.value.retry_after_s
    inside[0].close()  # type: ignore[attr-defined]
    next(s.watch())


def test_who_waits_is_a_watcher(s: Setup) -> None:
    assert s.watcher.wait("me", s.job_id, 0.02, stays).state is JobState.QUEUED
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(s.watcher.wait, "me", s.job_id, 30, stays) for _ in range(3)]
        while s.hub.count < 3:
            time.sleep(0.01)
        with pytest.raises(ResourceExhausted):
            s.watcher.wait("me", s.job_id, 30, stays)
        lease = s.claim()
        s.jobs.record_progress(lease, STEPS)
        s.jobs.succeed(lease)
        assert {done.result().state for done in waiting} == {JobState.SUCCEEDED}
    assert s.hub.count == 0
    assert s.watcher.wait("me", s.job_id, 30, stays).state is JobState.SUCCEEDED


def test_who_waits_may_leave_or_be_sent_elsewhere(s: Setup) -> None:
    leaving: list[Callable[[], None]] = []
    with ThreadPoolExecutor() as pool:
        left = pool.submit(
            s.watcher.wait, "me", s.job_id, 30, lambda leave: leaving.append(leave) or True
        )
        while not leaving:
            time.sleep(0.01)
        leaving[0]()
        assert left.result().state is JobState.QUEUED
        stopped = pool.submit(s.watcher.wait, "me", s.job_id, 30, stays)
        while s.hub.count < 1:
            time.sleep(0.01)
        s.hub.stop()
        with pytest.raises(Unavailable):
            stopped.result()
    assert s.hub.count == 0


def test_many_watchers_of_many_jobs_get_each_event_once(s: Setup) -> None:
    request = video_pb2.CreateVideoRequest(enhance=False, upscale=False).SerializeToString()
    others = [s.jobs.submit(NewJob("me", request))[0].id for _ in range(2)]
    streams = [s.watcher.watch(Watch("me", job_id, 0), stays) for job_id in others]
    for job_id in others:
        claimed = s.jobs.claim(job_id, "w", 1000)
        assert claimed
        s.jobs.record_progress(claimed[0], STEPS)
        s.jobs.succeed(claimed[0])
    for stream in streams:
        assert [event.resume_token for event in stream] == [str(n) for n in range(1, 8)]


def test_a_token_from_the_future_still_ends(s: Setup) -> None:
    events = s.watch(after=1000)
    lease = s.claim()
    s.jobs.succeed(lease)
    assert [event.state for event in events] == [video_pb2.VIDEO_STATE_SUCCEEDED]


def test_other_peoples_videos(s: Setup) -> None:
    with pytest.raises(NotFound):
        next(s.watcher.watch(Watch("you", s.job_id), stays))


def test_tokens() -> None:
    assert read_resume_token("") is None
    assert read_resume_token("17") == 17
    for wrong in ("-1", "1.5", "x", "٣", "9" * 12):
        with pytest.raises(InvalidInput):
            read_resume_token(wrong)


def test_who_waits_hears_of_a_new_place_in_the_queue(s: Setup) -> None:
    request = video_pb2.CreateVideoRequest(enhance=False, upscale=False).SerializeToString()
    s.clock.tick(1.0)
    behind = s.jobs.submit(NewJob("me", request))[0].id
    events = s.watcher.watch(Watch("me", behind), stays)
    first = next(events)
    assert first.progress.queue_position == 1 and not first.progress.HasField("eta")
    s.jobs.request_cancel(s.job_id)
    moved = next(events)
    assert moved.state == video_pb2.VIDEO_STATE_QUEUED
    assert moved.progress.queue_position == 0
    assert moved.resume_token == first.resume_token  # nothing to take up again
