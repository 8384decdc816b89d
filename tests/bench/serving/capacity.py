"""How far the capacity model is from the real services on this machine: ``make bench-capacity``.

Gateway, worker and model services run as they do in production, on SQLite and the folder broker.
First single jobs are measured, as ``omnireel plan measure`` does; then jobs come by chance at
several rates. Formula and simulation, which know the single jobs only, stand beside what was seen.

With ``test`` the models are engines that only take time, so that nothing but the queueing model is
tried; with ``tiny`` they are the shipped weights, which also compete for the same processors.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from omnireel.api.v1 import video_pb2
from omnireel.capacity.measurements import MODEL_SERVICES
from omnireel.capacity.plan import Demand, Installation, predict
from omnireel.capacity.simulation import SimulationConfig, simulate_arrivals
from omnireel.cli.plan_measure import PROMPTS, summarise
from omnireel.client import OmnireelClient, VideoOptions
from omnireel.errors import Unavailable
from omnireel.shipped import SHIPPED_TINY
from services.common.logs import configure_logs
from tests.bench.serving.processes import START_S, appears, process
from tests.support.engines.generator import TestGenerator
from tests.support.engines.prompt_enhancer import TestPromptEnhancer
from tests.support.engines.servers import (
    running_generator,
    running_prompt_enhancer,
    running_super_resolver,
)
from tests.support.engines.super_resolver import TestSuperResolver

STEP_S = {"prompt_enhancer": 0.05, "generator": 0.12, "super_resolver": 0.06}
"""Of the engines that only take time; 2, 4 and 4 steps."""
JITTER = 0.3
OPTIONS = VideoOptions(enhance=True, upscale=True)


@dataclass(frozen=True)
class Scenario:
    """Jobs that keep the busiest service ``busy``, before so many generators and slots."""

    busy: float
    generators: int = 1
    slots: int = 4


SCENARIOS = {
    "test": (Scenario(0.5), Scenario(0.8, slots=8), Scenario(0.4, slots=1), Scenario(0.8, 2, 10)),
    "tiny": (Scenario(0.3), Scenario(0.5)),
}


def takes_time(step_s: float, seed: int) -> Callable[[int], None]:
    """A hook for engines: each step takes ``step_s`` on average."""
    chance = random.Random(seed)
    shape = 1 / JITTER**2
    return lambda _step: time.sleep(chance.gammavariate(shape, step_s / shape))


@contextmanager
def test_models(store_url: str, generators: int) -> Iterator[dict[str, str]]:
    """Addresses of model services in this process whose steps only take time."""
    with ExitStack() as stack:
        hooks = {name: takes_time(step_s, n) for n, (name, step_s) in enumerate(STEP_S.items())}
        enhancer = running_prompt_enhancer(store_url, TestPromptEnhancer(hooks["prompt_enhancer"]))
        upscaler = running_super_resolver(store_url, TestSuperResolver(hooks["super_resolver"]))
        replicas = [
            stack.enter_context(running_generator(store_url, TestGenerator(hooks["generator"])))
            for _ in range(generators)
        ]
        yield {
            "prompt_enhancer": stack.enter_context(enhancer).address,
            "generator": "ipv4:" + ",".join(server.address for server in replicas),
            "super_resolver": stack.enter_context(upscaler).address,
        }


@contextmanager
def tiny_models(store_url: str, folder: Path) -> Iterator[dict[str, str]]:
    """Addresses of model services with the shipped weights, each a process with one thread."""
    with ExitStack() as stack:
        for name in MODEL_SERVICES:
            prefix = f"OMNIREEL_{name.upper()}_"
            environment = {
                f"{prefix}LISTEN": "127.0.0.1:0",
                f"{prefix}ADDRESS_FILE": str(folder / f"{name}.address"),
                f"{prefix}STORE_URL": store_url,
                f"{prefix}WEIGHTS": str(SHIPPED_TINY),
            }
            log = folder / f"{name}.log"
            stack.enter_context(process(log, f"services.{name}.main", environment=environment))
        yield {name: appears(folder / f"{name}.address") for name in MODEL_SERVICES}


@contextmanager
def served(
    folder: Path, store_url: str, models: dict[str, str], slots: int
) -> Iterator[OmnireelClient]:
    """A client of a gateway with one worker."""
    common = {
        "LISTEN": "127.0.0.1:0",
        "DATABASE_URL": f"sqlite:///{folder / 'jobs.db'}",
        "STORE_URL": store_url,
        **{name.upper(): address for name, address in models.items()},
    }
    own = {
        "gateway": {"MAX_QUEUED_JOBS": "100000", "KEY_FILE": str(folder / "key")},
        "worker": {
            "SAFETY": "off",
            "BROKER_URL": f"files://{folder / 'bell'}",
            "SLOTS": str(slots),
        },
    }
    with ExitStack() as stack:
        for name, settings in own.items():
            settings = {**common, **settings, "ADDRESS_FILE": str(folder / f"{name}.address")}
            environment = {f"OMNIREEL_{name.upper()}_{k}": v for k, v in settings.items()}
            log = folder / f"{name}.log"
            stack.enter_context(process(log, f"services.{name}.main", environment=environment))
            appears(folder / f"{name}.address")
        key = f"file:{folder / 'key'}"
        address = appears(folder / "gateway.address")
        client = stack.enter_context(OmnireelClient(address, api_key=key))
        wait_until_ready(client)
        yield client


def wait_until_ready(client: OmnireelClient) -> None:
    """Until every model service has its weights."""
    until = time.monotonic() + START_S
    while True:
        try:
            client.capabilities()
            return
        except Unavailable:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def measure(client: OmnireelClient, count: int) -> list[video_pb2.Video]:
    """Single jobs, one after the other; the first two are not counted."""
    return [client.generate(PROMPTS[0], options=OPTIONS) for _ in range(count + 2)][2:]


def play(client: OmnireelClient, times: Sequence[float]) -> list[video_pb2.Video]:
    """Create jobs at these seconds; the finished ones."""
    begun, names = time.monotonic(), []
    for at in times:
        time.sleep(max(begun + at - time.monotonic(), 0))
        names.append(client.create(PROMPTS[0], OPTIONS).name)
    return [client.wait(name) for name in names]


def total_s(video: video_pb2.Video) -> float:
    """From accepting it to its end."""
    return (video.end_time.ToNanoseconds() - video.create_time.ToNanoseconds()) / 1e9


def compare(folder: Path, engines: str, scenario: Scenario, jobs: int, seed: int) -> str:
    """One line of the table."""
    folder.mkdir()
    store_url = (folder / "objects").as_uri()
    models = (
        test_models(store_url, scenario.generators)
        if engines == "test"
        else tiny_models(store_url, folder)
    )
    with models as addresses, served(folder, store_url, addresses, scenario.slots) as client:
        alone = measure(client, 12)
        replicas = {**dict.fromkeys(MODEL_SERVICES, 1), "generator": scenario.generators}
        known = summarise(alone, device="cpu", note="")
        load_s = max(known.stages[name].mean_s / count for name, count in replicas.items())
        demand = Demand(3600 * scenario.busy / load_s)
        chance, now, times = random.Random(seed), 0.0, []
        for _ in range(jobs):
            now += chance.expovariate(demand.rate)
            times.append(now)
        seen = [total_s(video) for video in play(client, times)]
        # Before and after, so that what else the machine does counts on both sides.
        measured = summarise([*alone, *measure(client, 12)], device="cpu", note="")
    installation = Installation(replicas, 1, scenario.slots)
    formula = predict(measured, demand, installation)
    runs = [
        simulate_arrivals(
            times, measured, demand, installation, SimulationConfig(warm_up=0.0, seed=n)
        )
        for n in range(20)  # other service times at the same arrivals
    ]
    simulated = statistics.mean(run.total_s for run in runs)
    late = statistics.mean(sorted(run.totals_s)[int(0.95 * jobs)] for run in runs)
    mean = statistics.mean(seen)
    seen_late = sorted(seen)[int(0.95 * jobs)]
    return (
        f"{engines:<5} {scenario.busy:>5.0%} {scenario.generators:>4} {scenario.slots:>6} "
        f"{formula.work_s:>7.2f} {mean:>7.2f} {simulated:>7.2f} ({simulated / mean - 1:+.0%}) "
        f"{formula.total_s:>7.2f} ({formula.total_s / mean - 1:+.0%}) "
        f"{seen_late:>8.2f} {late:>8.2f} ({late / seen_late - 1:+.0%})"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engines", nargs="*", default=["test"], choices=["test", "tiny"])
    parser.add_argument("--jobs", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    configure_logs("bench", level="error")
    print("seconds from accepting a job to its video (alone; mean; 95 % are below)")
    print(
        f"{'':<5} {'busy':>5} {'gen.':>4} {'slots':>6} {'alone':>7} {'seen':>7} "
        f"{'simulated':>15} {'formula':>15} {'95 % seen':>8} {'simulated':>15}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for engines in given.engines:
            for number, scenario in enumerate(SCENARIOS[engines]):
                at = Path(folder) / f"{engines}-{number}"
                print(compare(at, engines, scenario, given.jobs, given.seed), flush=True)


if __name__ == "__main__":
    main()
