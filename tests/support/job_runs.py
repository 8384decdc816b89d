"""Model services in this process with a worker's runner before them: jobs run without a broker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnireel.api.v1 import mvl_pb2, video_pb2
from omnireel.store import ObjectStore, open_store
from services.common.jobs import Job, JobStore, NewJob
from services.common.tls import ClientTls
from services.worker.clients import ModelClients
from services.worker.runner import JobRunner, RunnerConfig
from tests.support.engines.generator import TestGenerator
from tests.support.engines.prompt_enhancer import TestPromptEnhancer
from tests.support.engines.servers import (
    running_generator,
    running_prompt_enhancer,
    running_super_resolver,
)
from tests.support.engines.super_resolver import TestSuperResolver
from tests.support.jobs import Clock, new_store


@dataclass
class Bench:
    """Everything that one worker needs, within reach of a test."""

    store_url: str
    store: ObjectStore
    jobs: JobStore
    clock: Clock
    clients: ModelClients
    addresses: dict[str, str]
    enhancer: TestPromptEnhancer
    generator: TestGenerator
    upscaler: TestSuperResolver

    def runner(self, **config: float) -> JobRunner:
        """A worker; heartbeats are quick unless ``config`` says otherwise."""
        quick = RunnerConfig("w1", heartbeat_s=0.02, backoff_s=0.5, progress_interval_s=0.0)
        return JobRunner(
            self.jobs, self.store, self.clients, RunnerConfig(**{**vars(quick), **config})
        )

    def submit(self, text: str = "a red ball", **fields: object) -> Job:
        """A resolved job, as the gateway makes it."""
        flags = {name: fields.pop(name, True) for name in ("enhance", "upscale")}
        request = video_pb2.CreateVideoRequest(
            prompt=mvl_pb2.Prompt(parts=[mvl_pb2.Part(text=text)]), **flags
        )
        settings = request.settings
        settings.format.width = settings.format.height = 64
        settings.format.num_frames, settings.format.fps = 9, 8.0
        settings.seed, settings.num_inference_steps, settings.num_upscale_steps = 7, 4, 4
        for kind, version in dict(fields.pop("versions", {})).items():  # type: ignore[call-overload]
            setattr(request.model_versions, kind, version)
        request.preview_every_steps = int(fields.pop("preview_every_steps", 0))
        new = NewJob("me", request.SerializeToString(), **fields)  # type: ignore[arg-type]
        return self.jobs.submit(new)[0]


@contextmanager
def bench(
    folder: Path, *, tls: ClientTls | None = None, store_url: str = "", **settings: Any
) -> Iterator[Bench]:
    """The three services on real ports, a job store on a clock turned by hand, an object store.

    ``settings`` are those of each service; ``tls`` is how the worker calls them. Without a
    ``store_url`` the store is a folder.
    """
    store_url = store_url or (folder / "objects").as_uri()
    enhancer, generator, upscaler = TestPromptEnhancer(), TestGenerator(), TestSuperResolver()
    clock = Clock()
    with ExitStack() as stack:
        servers = {
            "prompt_enhancer": running_prompt_enhancer(store_url, enhancer, **settings),
            "generator": running_generator(store_url, generator, **settings),
            "super_resolver": running_super_resolver(store_url, upscaler, **settings),
        }
        addresses = {name: stack.enter_context(s).address for name, s in servers.items()}
        clients = ModelClients(**addresses, tls=tls)
        stack.callback(clients.close)
        jobs = new_store(folder, clock)
        stack.callback(jobs.close)
        yield Bench(
            store_url,
            open_store(store_url),
            jobs,
            clock,
            clients,
            addresses,
            enhancer,
            generator,
            upscaler,
        )
