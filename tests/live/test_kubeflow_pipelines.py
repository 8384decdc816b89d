"""The workflows on a live Kubeflow Pipelines: ``make test-kfp ENDPOINT=... IMAGE=...``.

Needs the chart omnireel-training in the namespace of the runs, and an image for its nodes.
"""

from __future__ import annotations

import os
import time

import pytest

from pipelines.compiling import compiled, documents
from pipelines.server import Run, Server, ServerConfig
from pipelines.workflows import WORKFLOWS
from pipelines.workflows.place import Cluster

ENDPOINT, IMAGE = os.environ.get("KFP_ENDPOINT", ""), os.environ.get("OMNIREEL_IMAGE", "")
pytestmark = [
    pytest.mark.skipif(not (ENDPOINT and IMAGE), reason="ENDPOINT and IMAGE name no live server"),
    pytest.mark.timeout(7200),
]
SETTINGS = ["smoke=true", "cases=0", "last=images"]


def start(server: Server, folder: str) -> Run:
    pipeline = WORKFLOWS["train_ladder"].pipeline(Cluster(IMAGE), SETTINGS)
    spec = documents(compiled(pipeline))
    arguments = {"folder": folder, "job": os.environ.get("OMNIREEL_JOB", "queue=omnireel")}
    return server.submit(spec, arguments, name="test", experiment="omnireel-tests")


def ended(server: Server, run: Run) -> Run:
    while not run.finished:
        time.sleep(10)
        run = server.look(run.id)
    return run


@pytest.fixture
def server() -> Server:
    return Server(ServerConfig(ENDPOINT, os.environ.get("KFP_NAMESPACE", "")))


def test_a_smoke_ladder_succeeds(server: Server) -> None:
    run = ended(server, start(server, f"/runs/test-{int(time.time())}"))
    assert run.state == "SUCCEEDED", [(t.name, t.state, t.error) for t in run.tasks]


def test_a_cancelled_run_ends_and_goes_on_when_it_is_submitted_again(server: Server) -> None:
    folder = f"/runs/test-{int(time.time())}-cancelled"
    first = start(server, folder)
    while not any(task.state == "RUNNING" for task in server.look(first.id).tasks):
        time.sleep(5)
    server.cancel(first.id)
    assert ended(server, first).state == "CANCELED"
    assert ended(server, start(server, folder)).state == "SUCCEEDED"
