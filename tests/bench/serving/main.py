"""What the control plane costs, beside a plain gRPC echo and a plain Celery task in the same run.

``make bench-serving`` runs it. Gateway and worker are real processes on SQLite and the embedded
doorbell; the models are test engines in this process, which note when each step began and ended.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from omnireel.api.v1 import progress_pb2, video_pb2
from services.common.jobs import JobStore, Progress, Stage, open_jobs
from services.common.logs import configure_logs
from tests.bench.serving.plain import STAMP, celery_app, echo_stub
from tests.bench.serving.processes import appears, cpu_s, process, resident_mib
from tests.support.engines.generator import TestGenerator
from tests.support.engines.servers import (
    running_generator,
    running_prompt_enhancer,
    running_super_resolver,
)
from tests.support.stack import Api

AT_REST = 40
CREATES = 2000
CLIENTS = 8
WATCHERS = 1000
WATCHED_JOBS = 20
STEPS = 20


@dataclass
class Line:
    """One row of the table."""

    what: str
    value: float
    unit: str
    aim: str = ""
    beside: str = ""

    def show(self) -> str:
        return f"{self.what:<44} {self.value:>10.1f} {self.unit:<8} {self.aim:<10} {self.beside}"


@dataclass
class AtRest:
    """Seconds. ``media_s`` is the part of the end that encodes the mp4 and makes the poster."""

    to_first_step_s: float
    from_last_step_s: float
    media_s: float


class Served:
    """Model services in here; a gateway and, inside :meth:`worker`, a worker out there."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.engine = TestGenerator(self._before_step)
        self.steps: list[float] = []
        store_url = (folder / "objects").as_uri()
        servers = {
            "prompt_enhancer": running_prompt_enhancer(store_url),
            "generator": running_generator(store_url, self.engine),
            "super_resolver": running_super_resolver(store_url),
        }
        addresses = {name: stack.enter_context(s).address for name, s in servers.items()}
        self.database_url = f"sqlite:///{folder / 'jobs.db'}"
        self._common = {
            "LISTEN": "127.0.0.1:0",
            "DATABASE_URL": self.database_url,
            "STORE_URL": store_url,
            **{name.upper(): address for name, address in addresses.items()},
        }
        gateway = self._environment("gateway") | {
            "OMNIREEL_GATEWAY_MAX_QUEUED_JOBS": "100000",
            "OMNIREEL_GATEWAY_KEY_FILE": str(folder / "key"),
        }
        self.gateway = stack.enter_context(
            process(folder / "gateway.log", "services.gateway.main", environment=gateway)
        )
        self.address = appears(folder / "gateway.address")
        self.key = appears(folder / "key")
        self.api = Api(self.address, self.key)
        stack.callback(self.api.close)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                self.api.videos.GetCapabilities(video_pb2.GetCapabilitiesRequest())
                break
            except grpc.RpcError:
                time.sleep(0.05)
        self.jobs: JobStore = open_jobs(self.database_url)
        stack.callback(self.jobs.close)

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        environment = self._environment("worker")
        environment["OMNIREEL_WORKER_SAFETY"] = "off"
        environment["OMNIREEL_WORKER_BROKER_URL"] = f"files://{self.folder / 'doorbell'}"
        with process(
            self.folder / "worker.log", "services.worker.main", environment=environment
        ) as running:
            appears(self.folder / "worker.address")
            self.create_and_finish()
            yield running

    def create(self) -> str:
        return self.api.create(enhance=False, upscale=False)

    def create_and_finish(self) -> AtRest:
        """One job from the call to its end at the client."""
        self.steps.clear()
        begun = time.time()
        job_id = self.create()
        video = list(self.api.watch(job_id))[-1].video
        done = time.time()
        media_s = sum(
            timing.elapsed.ToNanoseconds() / 1e9
            if timing.stage == progress_pb2.STAGE_FINISHING
            else timing.codec_elapsed.ToNanoseconds() / 1e9
            for timing in video.timings
        )
        return AtRest(self.steps[0] - begun, done - self.steps[-1], media_s)

    def _before_step(self, _step: int) -> None:
        self.steps.append(time.time())

    def _environment(self, service: str) -> dict[str, str]:
        prefix = f"OMNIREEL_{service.upper()}_"
        named = {prefix + name: value for name, value in self._common.items()}
        return {**named, f"{prefix}ADDRESS_FILE": str(self.folder / f"{service}.address")}


def milliseconds(seconds: Sequence[float]) -> tuple[float, float]:
    """Median and 95th percentile."""
    ordered = sorted(seconds)
    return statistics.median(ordered) * 1e3, ordered[int(len(ordered) * 0.95)] * 1e3


def per_second(call: Callable[[], object], count: int, clients: int) -> float:
    """Calls per second of several callers at once."""
    with futures.ThreadPoolExecutor(clients) as pool:
        begun = time.perf_counter()
        for done in futures.as_completed([pool.submit(call) for _ in range(count)]):
            done.result()
        return count / (time.perf_counter() - begun)


def measure_echo(folder: Path) -> tuple[float, float]:
    """Median round trip in ms, and calls per second."""
    address = folder / "echo"
    with (
        process(folder / "echo.log", "tests.bench.serving.plain", "echo", str(address)),
        grpc.insecure_channel(appears(address)) as channel,
    ):
        echo, payload, times = echo_stub(channel), b"x" * 100, []
        for _ in range(300):
            begun = time.perf_counter()
            echo(payload)
            times.append(time.perf_counter() - begun)
        return milliseconds(times)[0], per_second(lambda: echo(payload), CREATES, CLIENTS)


def measure_celery(folder: Path) -> tuple[float, float]:
    """Median time from sending a task to its first line in ms, and tasks per second."""
    folder.mkdir()
    app = celery_app(folder)
    with process(folder / "celery.log", "tests.bench.serving.plain", "celery", str(folder)):

        def run(number: int) -> float:
            begun = time.time()
            app.send_task(STAMP, args=[number])
            return float(appears_quickly(folder / f"{number}.stamp")) - begun

        run(0)
        at_rest = []
        for number in range(1, AT_REST + 1):
            time.sleep(0.1)
            at_rest.append(run(number))
        begun = time.perf_counter()
        for number in range(1000, 1300):
            app.send_task(STAMP, args=[number])
        while len(list(folder.glob("1[0-9][0-9][0-9].stamp"))) < 300:
            time.sleep(0.01)
        return milliseconds(at_rest)[0], 300 / (time.perf_counter() - begun)


def appears_quickly(path: Path) -> str:
    while not path.exists() or not (text := path.read_text()):
        time.sleep(0.001)
    return text


def measure_watchers(served: Served) -> list[Line]:
    """Delay of every event at every one of many watchers."""
    job_ids = [served.create() for _ in range(WATCHED_JOBS)]
    before = resident_mib(served.gateway.pid)
    command = [sys.executable, "-m", "tests.bench.serving.watchers", served.address, served.key]
    watching = subprocess.Popen(
        [*command, str(WATCHERS), *job_ids], stdout=subprocess.PIPE, text=True
    )
    assert watching.stdout is not None
    begun = time.perf_counter()
    for _ in range(WATCHERS):
        assert watching.stdout.readline().strip() == "here"
    joined_s = time.perf_counter() - begun
    with_watchers = resident_mib(served.gateway.pid)
    used, since = cpu_s(served.gateway.pid), time.perf_counter()
    for job_id in job_ids:
        claimed = served.jobs.claim(job_id, "bench", 1000)
        assert claimed
        for step in range(1, STEPS + 1):
            progress = Progress(Stage.GENERATE, step, STEPS, step / STEPS)
            served.jobs.record_progress(claimed[0], [progress])
            time.sleep(0.02)
        served.jobs.succeed(claimed[0])
    used = (cpu_s(served.gateway.pid) - used) / (time.perf_counter() - since)
    streams = json.loads(watching.stdout.readline())
    watching.wait()
    expected = [str(number) for number in range(2, STEPS + 4)]
    wrong = sum([token for token, _ in stream] != expected for stream in streams)
    median, late = milliseconds([delay for stream in streams for _, delay in stream])
    return [
        Line(
            "watchers on one gateway", len(streams), "", ">= 1000", f"{wrong} lost or doubled one"
        ),
        Line("  all joined after", joined_s, "s"),
        Line("  an event reaches them after, median", median, "ms", "", f"95 %: {late:.0f} ms"),
        Line("  gateway memory", with_watchers, "MiB", "", f"{before:.0f} MiB without them"),
        Line("  gateway processor, 50 events/s x 50 each", used * 100, "%"),
    ]


def main() -> None:
    """Measure and print."""
    configure_logs("bench", level="warning")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        echo_ms, echo_rate = measure_echo(folder)
        celery_ms, celery_rate = measure_celery(folder / "celery")
        served = Served(folder, stack)
        time.sleep(2)
        idle = resident_mib(served.gateway.pid)
        used = cpu_s(served.gateway.pid)
        time.sleep(5)
        idle_cpu = (cpu_s(served.gateway.pid) - used) / 5
        lines = [
            Line("plain gRPC echo, at rest", echo_ms, "ms"),
            Line(f"plain gRPC echo, {CLIENTS} callers", echo_rate, "calls/s"),
            Line("plain Celery task on a folder, at rest", celery_ms, "ms"),
            Line("plain Celery task on a folder", celery_rate, "tasks/s"),
            Line("idle gateway, memory", idle, "MiB", "< 200"),
            Line("idle gateway, processor", idle_cpu * 100, "%"),
        ]
        with served.worker() as worker:
            runs = []
            for _ in range(AT_REST):
                time.sleep(0.3)
                runs.append(served.create_and_finish())
            used = cpu_s(worker.pid)
            time.sleep(5)
            worker_cpu = (cpu_s(worker.pid) - used) / 5
        to_first = milliseconds([run.to_first_step_s for run in runs])
        from_last = milliseconds([run.from_last_step_s for run in runs])
        media = milliseconds([run.media_s for run in runs])
        added = milliseconds(
            [run.to_first_step_s + run.from_last_step_s - run.media_s for run in runs]
        )
        beside = f"{added[0] / (echo_ms + celery_ms):.1f} x (echo + task), 95 %: {added[1]:.0f} ms"
        lines += [
            Line(
                "create to first step, at rest", to_first[0], "ms", "", f"95 %: {to_first[1]:.0f}"
            ),
            Line("last step to done, at rest", from_last[0], "ms", "", f"95 %: {from_last[1]:.0f}"),
            Line("  of which mp4 and poster", media[0], "ms", "", f"95 %: {media[1]:.0f}"),
            Line("added per job without these, at rest", added[0], "ms", "< 50", beside),
            Line("idle worker, processor", worker_cpu * 100, "%"),
        ]
        one = per_second(served.create, CREATES // 4, 1)
        rate = per_second(served.create, CREATES, CLIENTS)
        beside = f"{rate / echo_rate:.2f} x echo, {rate / celery_rate:.1f} x Celery"
        lines += [
            Line("jobs created on SQLite, 1 caller", one, "jobs/s"),
            Line(f"jobs created on SQLite, {CLIENTS} callers", rate, "jobs/s", ">= 200", beside),
            *measure_watchers(served),
        ]
    print(f"{'':<44} {'measured':>10} {'':<8} {'aim':<10} beside")
    for line in lines:
        print(line.show())


if __name__ == "__main__":
    main()
