"""The embedded stack as real processes, with deterministic engines and short leases."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from omnireel.api.v1 import video_pb2
from omnireel.cli.main import app
from omnireel.client import stack_key
from omnireel.errors import FailedPrecondition
from omnireel.media import read_clip, write_mp4
from omnireel.store import ObjectInfo, open_store
from omnireel.types import Clip, VideoFormat
from services.common.jobs import JobStore, open_jobs
from services.common.stack.config import StackConfig
from services.common.stack.down import stop_stack
from services.common.stack.process import is_alive
from services.common.stack.state import StackState, read_state
from services.common.stack.status import look
from services.common.stack.up import start_stack
from tests.support.engines.frames import base_frames, upscaled_frames
from tests.support.stack import QUICK, Api, stack_config

PATIENCE_S = 60.0


class Running:
    """A started stack, and what its test engines did."""

    def __init__(self, config: StackConfig) -> None:
        self.config = config
        self.release = Path(config.environment["OMNIREEL_TEST_RELEASE_FILE"])
        self._steps = Path(config.environment["OMNIREEL_TEST_STEPS_FILE"])
        self.lines: list[str] = []
        self.state: StackState = start_stack(config, self.lines.append)
        self.api = Api(self.state.gateway, stack_key(config.home))
        self.jobs: JobStore = open_jobs(config.database_url)

    def steps(self, service: str, seed: int) -> list[int]:
        if not self._steps.exists():
            return []
        rows = (line.split() for line in self._steps.read_text().splitlines())
        return [int(step) for name, of, step in rows if (name, of) == (service, str(seed))]

    def objects(self, job_id: str) -> list[ObjectInfo]:
        return list(open_store(self.config.store_url).list(f"jobs/{job_id}/"))

    def restart(self) -> None:
        self.stop()
        self.__init__(self.config)  # type: ignore[misc]

    def stop(self) -> None:
        self.api.close()
        self.jobs.close()
        stop_stack(self.config.home, self.lines.append, 20.0)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("stack")
    environment = {
        **QUICK,
        "OMNIREEL_TEST_RELEASE_FILE": str(home / "release"),
        "OMNIREEL_TEST_STEPS_FILE": str(home / "steps"),
    }
    made = Running(stack_config(home, workers=2, environment=environment))
    yield made
    made.stop()
    assert read_state(home) is None
    assert not made.state.alive


@pytest.fixture
def r(running: Running) -> Iterator[Running]:
    running.release.unlink(missing_ok=True)
    yield running
    running.release.touch()


def until(what: Callable[[], object]) -> None:
    """Wait for something that happens in another process."""
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def create(r: Running, text: str, seed: int) -> str:
    request = video_pb2.CreateVideoRequest()
    request.settings.seed = seed
    return r.api.create(text, settings=request.settings)


def test_every_process_serves(r: Running) -> None:
    assert sorted(line.split()[0] for line in r.lines) == sorted(r.config.names)
    found = look(r.config.home)
    assert found is not None and found.healthy
    assert all(process.memory > 10 << 20 for process in found.processes)
    written = json.loads((r.config.home / "stack.json").read_text())
    assert written["gateway"] == r.state.gateway
    with pytest.raises(FailedPrecondition, match="runs already"):
        start_stack(r.config, print)
    result = CliRunner().invoke(app, ["status", "--home", str(r.config.home)])
    assert result.exit_code == 0, result.output
    assert result.output.count("serving") == 6 and r.state.gateway in result.output


def test_create_progress_download(r: Running) -> None:
    job_id = create(r, "a red ball", seed=11)
    events = list(r.api.watch(job_id))
    for stage, steps in ((3, [1, 2, 3, 4]), (4, [1, 2, 3, 4])):
        seen = [e.progress.step for e in events if e.progress.stage == stage and e.progress.step]
        # The state at the beginning, and the end, may show a step once more.
        assert sorted(set(seen)) == steps
    fractions = [e.progress.fraction for e in events]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    video = events[-1].video
    assert video.state == video_pb2.VIDEO_STATE_SUCCEEDED, video.error
    expected = upscaled_frames(base_frames(VideoFormat(64, 64, 9, 8.0), 11))
    got = read_clip(r.api.download(video.outputs.video.uri))
    same = read_clip(write_mp4(Clip(expected, fps=8.0)))
    np.testing.assert_array_equal(got.frames_THWC, same.frames_THWC)


def test_cancel_stops_within_one_step(r: Running) -> None:
    job_id = create(r, "hold-generator", seed=12)
    until(lambda: r.steps("generator", 12) == [1])
    r.api.cancel(job_id)
    until(lambda: r.api.get(job_id).state == video_pb2.VIDEO_STATE_CANCELLED)
    r.release.touch()
    assert r.steps("generator", 12) == [1]
    assert r.steps("super_resolver", 12) == []


def test_job_of_a_killed_worker_is_made_once_by_another(r: Running) -> None:
    job_id = create(r, "hold-generator", seed=13)
    until(lambda: r.steps("generator", 13) == [1])
    first = r.jobs.get(job_id)
    victim = next(p for p in r.state.processes if f"-{p.pid}-" in first.lease_owner)
    assert victim.name.startswith("worker")
    os.kill(victim.pid, signal.SIGKILL)
    until(lambda: r.jobs.get(job_id).token == 2)
    second = r.jobs.get(job_id)
    assert f"-{victim.pid}-" not in second.lease_owner
    r.release.touch()
    video = r.api.finish(job_id)
    assert video.state == video_pb2.VIDEO_STATE_SUCCEEDED, video.error
    assert video.num_attempts == 2
    # Enhanced once, since that stage was finished; generated anew, since that one was not.
    events = r.jobs.events_after(job_id, 0)
    restart = next(e.sequence for e in events if "was lost" in e.message)
    after = {e.progress.stage.value for e in events if e.progress and e.sequence > restart + 1}
    assert after == {"GENERATE", "UPSCALE", "FINISH"}
    assert [e.state.value for e in events].count("SUCCEEDED") == 1
    uris = {info.key.rpartition("/")[0] for info in r.objects(job_id)}
    assert uris == {f"jobs/{job_id}/2"}
    found = look(r.config.home)
    assert found is not None and not found.healthy
    result = CliRunner().invoke(app, ["status", "--home", str(r.config.home)])
    assert result.exit_code == 1 and "dead" in result.output


def test_stopped_stack_hands_jobs_back_and_goes_on(r: Running) -> None:
    done = create(r, "a red ball", seed=14)
    r.api.finish(done)
    held = create(r, "hold-generator", seed=15)
    # Only then the others: two workers may reach the generator in either order.
    until(lambda: r.steps("generator", 15) == [1])
    waiting = [create(r, "hold-generator", seed=seed) for seed in (16, 17)]
    before = r.state
    r.restart()
    assert not any(is_alive(process.id) for process in before.processes)
    assert r.api.get(done).state == video_pb2.VIDEO_STATE_SUCCEEDED
    assert r.api.download(r.api.get(done).outputs.video.uri)
    r.release.touch()
    for job_id in (held, *waiting):
        video = r.api.finish(job_id)
        assert video.state == video_pb2.VIDEO_STATE_SUCCEEDED, video.error
        assert video.num_attempts == 1  # handing back cost no attempt
    r.api.delete(held)
    assert not r.objects(held)
