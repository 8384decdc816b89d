"""Clients that never give up: every call is repeated until it is answered."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import grpc
import numpy as np

from omnireel.api.v1 import generation_pb2, video_pb2
from omnireel.media import read_clip, write_mp4
from omnireel.types import Clip, Frames, VideoFormat
from tests.support.engines.frames import base_frames, upscaled_frames
from tests.support.stack import Api

PAUSE_S = 0.3
AGAIN = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
)
FORMAT = VideoFormat(64, 64, 5, 8.0)
SEEDS = 16
"""The test engine's frames say the seed in steps of 16 of 256, so more could not be told apart."""

R = TypeVar("R")


@dataclass
class Seen:
    """What the client saw of one job."""

    request_id: str
    seed: int
    names: set[str] = field(default_factory=set)
    """Operations that its one request was answered with."""
    state: str = ""
    problem: str = ""
    tries: int = 0

    @property
    def lost(self) -> bool:
        """No result, or not the right one."""
        return self.state != "VIDEO_STATE_SUCCEEDED" or bool(self.problem)

    @property
    def doubled(self) -> bool:
        """One request became more than one job."""
        return len(self.names) > 1


class Crowd:
    """Threads that work through ``count`` jobs; ``done`` grows as they finish."""

    def __init__(self, address: str, key: str, count: int, threads: int, patience_s: float) -> None:
        self.jobs = [Seen(uuid.uuid4().hex, n % SEEDS) for n in range(count)]
        self.done = 0
        self._address = address
        self._key = key
        self._give_up_at = time.monotonic() + patience_s
        self._waiting = list(reversed(self.jobs))
        self._lock = threading.Lock()
        self._expected = {seed: expected(seed) for seed in range(min(SEEDS, count))}
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Until all jobs ended, or the time is over."""
        for thread in self._threads:
            thread.join()

    @property
    def busy(self) -> bool:
        """Whether anybody still waits for a result."""
        return any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        api = Api(self._address, self._key)
        while True:
            with self._lock:
                if not self._waiting:
                    break
                job = self._waiting.pop()
            try:
                self._one(api, job)
            except Exception as error:  # noqa: BLE001 - counted as lost, with its cause
                job.problem = job.problem or repr(error)[:300]
            with self._lock:
                self.done += 1
        api.close()

    def _one(self, api: Api, job: Seen) -> None:
        settings = generation_pb2.GenerationSettings(seed=job.seed)
        settings.shape.duration_s = FORMAT.num_frames / FORMAT.fps

        def create() -> str:
            # Every second request is sent twice, as by a client that lost the first answer.
            fields = {"settings": settings, "request_id": job.request_id}
            job.names.add(api.create("a slow red ball", **fields))
            return api.create("a slow red ball", **fields) if job.seed % 2 else ""

        twin = self._until_answered(job, create)
        if twin:
            job.names.add(twin)
        name = min(job.names)
        video = self._until_answered(job, lambda: api.get(name))
        while video.state not in FINAL:
            time.sleep(PAUSE_S)
            video = self._until_answered(job, lambda: api.get(name))
        job.state = video_pb2.VideoState.Name(video.state)
        if video.state != video_pb2.VIDEO_STATE_SUCCEEDED:
            job.problem = f"{job.state}: {video.error.message}"[:300]
            return
        data = self._until_answered(job, lambda: api.download(video.outputs.video.uri))
        if not np.array_equal(read_clip(data).frames_THWC, self._expected[job.seed]):
            job.problem = "the bytes are another video's"

    def _until_answered(self, job: Seen, call: Callable[[], R]) -> R:
        while True:
            job.tries += 1
            try:
                return call()
            except grpc.RpcError as error:
                if error.code() not in AGAIN or time.monotonic() > self._give_up_at:
                    raise
            time.sleep(PAUSE_S)


FINAL = (
    video_pb2.VIDEO_STATE_SUCCEEDED,
    video_pb2.VIDEO_STATE_FAILED,
    video_pb2.VIDEO_STATE_CANCELLED,
)


def expected(seed: int) -> Frames:
    """What the test engines make of ``seed``, after one trip through the video codec."""
    frames = upscaled_frames(base_frames(FORMAT, seed))
    return read_clip(write_mp4(Clip(frames, fps=FORMAT.fps))).frames_THWC
