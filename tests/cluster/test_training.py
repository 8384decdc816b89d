"""Training in a real cluster: Kubeflow Trainer, Kueue, DeepSpeed on two nodes, S3 and MLflow."""

from __future__ import annotations

import base64
import json
import os
import signal
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from infra.cluster import machine
from omnireel.recipes.copies import fetch_run
from omnireel.store import open_store
from omnireel.train.checkpoint import load_checkpoint
from tests.support.cluster_release import Ledger
from tests.support.cluster_training import ACCESS, MLFLOW, Command, Training, until
from tests.support.kube import KubectlRefused

pytestmark = pytest.mark.filterwarnings("ignore")

STEPS = 24
FEW = (
    "trainer.checkpoint_every=3", "trainer.validate_every=12", "trainer.log_every=1",
    "batch_size=1",
)  # fmt: skip


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ACCESS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def nothing_left(training: Training) -> Iterator[None]:
    yield
    training.stop()


def name_of(command: Command) -> str:
    """Of the job, once it is submitted."""
    until("a job", lambda: "submitted" in command.said or command.process.poll() is not None)
    assert "submitted" in command.said, command.said
    line = next(line for line in command.lines if "submitted" in line)
    return line.partition(":")[0]


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def mlflow(
    training: Training, path: str, body: dict[str, Any] | None = None, password: str = MLFLOW[1]
) -> dict[str, Any]:
    """What the server answers to its administrator, outside of the cluster."""
    token = base64.b64encode(f"{MLFLOW[0]}:{password}".encode()).decode()
    request = urllib.request.Request(
        f"http://{training.address('omnireel-mlflow')}/api/2.0/mlflow/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Basic {token}", "Content-Type": "application/json",
            "Host": "omnireel-mlflow:5000",
        },
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=60) as response:
        found: dict[str, Any] = json.load(response)
    return found


def test_two_nodes_train_and_go_on_after_a_killed_pod(
    training: Training, ledger: Ledger, tmp_path: Path
) -> None:
    began = time.monotonic()
    command = training.train("check", f"trainer.num_steps={STEPS}", *FEW)
    job = name_of(command)
    until("five steps", lambda: bool(command.steps()) and command.steps()[-1] >= 5)
    ledger.note("two nodes: submitted until the fifth step", began)
    (second,) = [pod for pod in training.pods(job) if "-node-0-1-" in pod["metadata"]["name"]]
    before = command.steps()[-1]
    killed = time.monotonic()
    for pid in machine.processes_of(second["metadata"]["uid"]):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    until("it goes on", lambda: command.said.count(f"steps 0 to {STEPS}") + restarts(command) > 1)
    ledger.note("a pod killed: until training goes on", killed)
    assert command.ended() == 0, command.said
    ledger.note(f"two nodes: {STEPS} steps, with the restart", began)

    folder = tmp_path / "check"
    fetch_run(open_store(training.store("check")), folder)
    assert load_checkpoint(folder).step == STEPS
    found = rows(folder)
    starts = [row["step"] for row in found if row["event"] == "start"]
    assert starts[0] == 0 and starts[-1] >= before - 3, starts
    placement = next(row["placement"] for row in found if row["event"] == "start")
    assert "2 ranks" in placement and "ZeRO" in placement, placement


def restarts(command: Command) -> int:
    """Times that a run has begun at a later step than the first."""
    lines = [line for line in command.lines if "M parameters, steps" in line]
    return sum("steps 0 to" not in line for line in lines)


def test_its_run_is_in_mlflow(training: Training) -> None:
    named = "experiments/get-by-name?experiment_name=omnireel"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        mlflow(training, named, password="wrong")
    experiment = mlflow(training, named)["experiment"]
    found = mlflow(training, "runs/search", {"experiment_ids": [experiment["experiment_id"]]})
    (run,) = [each for each in found["runs"] if each["info"]["run_name"] == "check"]
    assert run["info"]["status"] == "FINISHED"
    where = urllib.parse.urlencode({"run_id": run["info"]["run_id"], "metric_key": "loss"})
    history = mlflow(training, f"metrics/get-history?{where}&max_results=1000")["metrics"]
    assert max(int(metric["step"]) for metric in history) == STEPS
    pictures = open_store(f"s3://mlflow/runs?endpoint=http://{training.address('s3')}")
    assert any("validation" in info.key for info in pictures.list())


def test_a_queue_admits_and_a_higher_job_goes_first(training: Training, ledger: Ledger) -> None:
    long = ("trainer.num_steps=100000", *FEW)
    low = training.train("low", *long, job="priority=omnireel-low")
    first = name_of(low)
    until("it trains", lambda: bool(low.steps()) and low.steps()[-1] >= 5)
    other = training.train("other", *long, job="priority=omnireel-low")
    second = name_of(other)
    until("the second waits", lambda: training.jobs()[second] == "queued")
    assert training.jobs()[first] == "running"
    assert (
        training.run("train", "jobs", "cancel", second, "--namespace", "training").returncode == 0
    )
    assert other.ended() == 1 and "deleted by someone else" in other.said

    began = time.monotonic()
    high = training.train("high", "trainer.num_steps=6", job="priority=omnireel-high")
    until("the first gives way", lambda: training.jobs()[first] == "queued")
    assert high.ended() == 0, high.said
    ledger.note("a job of higher priority: submitted until done", began)
    began = time.monotonic()
    until("the first goes on", lambda: restarts(low) == 1)
    ledger.note("the preempted job goes on after it", began)

    low.process.terminate()  # as Ctrl-C
    assert low.ended() != 0 and "was deleted" in low.said
    until("no pods of it", lambda: not training.pods(first))
    assert first not in training.jobs()


def test_accounts_may_what_they_need(training: Training) -> None:
    """From inside: a step's account lists jobs, and neither secrets nor other namespaces."""
    ask = (
        "from kubernetes import client, config; config.load_incluster_config(); "
        "core = client.CoreV1Api(); objects = client.CustomObjectsApi()\n"
        "def allowed(call):\n"
        "    try: call()\n"
        "    except client.ApiException as error: return error.status\n"
        "    return 200\n"
        "print([allowed(lambda: objects.list_namespaced_custom_object('trainer.kubeflow.org', "
        "'v1alpha1', 'training', 'trainjobs')), "
        "allowed(lambda: core.list_namespaced_secret('training')), "
        "allowed(lambda: core.list_namespaced_pod('default'))])"
    )
    assert training.inside("pipeline-runner", "python", "-c", ask).strip() == "[200, 403, 403]"
    said = training.inside("pipeline-runner", "omnireel", "train", "jobs", "list")
    assert said.endswith("no jobs\n")
    with pytest.raises(KubectlRefused, match="No such file"):
        training.kube.kubectl(
            "exec", "deploy/omnireel-mlflow", "--", "ls", "/run/secrets/kubernetes.io"
        )
