"""A gateway with both doors open before real model services with deterministic engines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from services.common.jobs import open_jobs
from services.gateway.http.settings import HttpSettings
from services.gateway.main import GatewayServer
from services.gateway.settings import GatewaySettings
from services.gateway.webhooks.settings import WebhookSettings
from services.worker.runner import JobRunner, RunnerConfig
from tests.support.job_runs import Bench, bench
from tests.support.stack import Api


class Served:
    """A gateway, and a worker that runs jobs when the test says so."""

    def __init__(
        self,
        made: Bench,
        settings: GatewaySettings,
        http: HttpSettings,
        webhooks: WebhookSettings | None = None,
    ) -> None:
        self.bench, self.settings = made, settings
        self.jobs = open_jobs(settings.database_url)
        self.server = GatewayServer(settings, http, webhooks=webhooks)
        self.server.start()
        self.server.health.set_serving(True)
        assert self.server.http is not None
        self.door = self.server.http
        self.url = f"http://{self.door.address}"
        assert settings.key_file is not None
        self.key = settings.key_file.read_text().strip()
        headers = {"Authorization": f"Bearer {self.key}"}
        self.http = httpx2.Client(base_url=self.url, headers=headers, timeout=120)
        self.api = Api(self.server.address, self.key)

    def work(self, *job_ids: str) -> None:
        config = RunnerConfig("w1", heartbeat_s=0.05, progress_interval_s=0.0)
        runner = JobRunner(self.jobs, self.bench.store, self.bench.clients, config)
        for job_id in job_ids:
            runner.run(job_id)

    def create(self, text: str = "a red ball", **fields: Any) -> str:
        """The id of a new job, made over HTTP."""
        body = {"prompt": {"text": text}, "settings": {"seed": "7"}, **fields}
        answer = self.http.post("/api/v1/videos", json=body)
        assert answer.status_code == 200, answer.text
        name: str = answer.json()["name"]
        return name.removeprefix("videos/")

    def made(self, **fields: Any) -> str:
        """The id of a finished job."""
        job_id = self.create(**fields)
        self.work(job_id)
        return job_id

    def stop(self) -> None:
        self.http.close()
        self.api.close()
        self.server.stop(1)
        self.jobs.close()


@contextmanager
def served(
    folder: Path,
    http: HttpSettings | None = None,
    webhooks: WebhookSettings | None = None,
    **more: Any,
) -> Iterator[Served]:
    """Everything on free ports; ``more`` are settings of the gateway."""
    with bench(folder, store_url=more.pop("store_url", "")) as made:
        database = more.pop("database_url", f"sqlite:///{folder / 'gateway.db'}")
        settings = GatewaySettings(
            listen="127.0.0.1:0",
            database_url=database,
            store_url=made.store_url,
            key_file=folder / "api_key",
            watch_poll_s=0.01,
            delete_wait_s=20.0,
            **made.addresses,
            **more,
        )
        running = Served(made, settings, http or HttpSettings(listen="127.0.0.1:0"), webhooks)
        try:
            yield running
        finally:
            running.stop()


def events(lines: Iterator[str]) -> Iterator[tuple[str, str, Any]]:
    """``(id, event, data)`` of a stream of Server-Sent Events; comments are left out."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield fields["id"], fields["event"], json.loads(fields["data"])
            fields = {}
        else:
            fields = {}
