"""A real cluster for the session, with the services installed by Helm."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from infra.cluster import machine
from infra.cluster.__main__ import down, up
from infra.cluster.build import API, build
from infra.cluster.build import TRAINING as CONTROLLER_PROGRAMS
from infra.cluster.config import ClusterConfig
from infra.cluster.images import load
from infra.cluster.kubeflow import CONTROLLERS, install
from tests.support.charts import OMNIREEL, Object, merged
from tests.support.cluster_images import (
    ENGINES,
    SERVERS,
    SERVICES,
    build_images,
    build_trainer,
    reference,
    size,
)
from tests.support.cluster_release import Ledger, Release
from tests.support.cluster_training import NAMESPACE as TRAINING
from tests.support.cluster_training import Training
from tests.support.kube import Kube

NAMESPACE = "video"
ORDER = ("comes_and_goes", "refused", "training", "workflow_steps", "services", "under_load")
"""Files of tests: what is refused without a Trainer comes before there is one."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: ORDER.index(item.path.stem.removeprefix("test_")))


def engines(service: str) -> Object:
    """Values of a model service with its test engine."""
    return {
        "command": ["python", "-m", "tests.support.engines.main", service],
        "resources": {"requests": {"cpu": "20m", "memory": "128Mi"}},
        "env": [{"name": "OMNIREEL_TEST_STEP_S", "value": "0.1"}],
    }


SERVER = {"image": SERVERS, "user": 10001}
VALUES: Object = {
    "images": {
        "services": reference(SERVICES), "models": reference(ENGINES), "pullPolicy": "Never",
    },
    "dev": {
        "postgresql": SERVER, "redis": SERVER,
        "s3": {**SERVER, "program": "/usr/local/bin/versitygw"},
    },
    "gateway": {"replicas": 2},
    "worker": {"replicas": 2, "settings": {"lease_s": 15}},
    "promptEnhancer": engines("prompt_enhancer"),
    "generator": engines("generator"),
    "superResolver": engines("super_resolver"),
}  # fmt: skip
"""Over values-dev.yaml."""


@pytest.fixture(scope="session")
def config() -> ClusterConfig:
    return ClusterConfig()


@pytest.fixture(scope="session")
def kubectl() -> Path:
    return build(API)["kubectl"]


@pytest.fixture(scope="session")
def ledger() -> Iterator[Ledger]:
    """Times and faults, printed when all is over."""
    found = Ledger()
    yield found
    print(f"\n{found.table()}")


@pytest.fixture(scope="session")
def images(ledger: Ledger) -> tuple[str, ...]:
    """The images, built."""
    began = time.monotonic()
    found = build_images()
    ledger.note("images built", began)
    return found


@pytest.fixture(scope="session")
def cluster(
    config: ClusterConfig, kubectl: Path, images: tuple[str, ...], ledger: Ledger
) -> Iterator[Kube]:
    """Up with the images in it; afterwards nothing of it is left on the machine."""
    began = time.monotonic()
    up(config)
    try:
        ledger.note("cluster up", began)
        began = time.monotonic()
        for image in images:
            load(config, image)
        ledger.note("images into the node", began)
        yield Kube(config.kubeconfig, kubectl, NAMESPACE)
        ledger.say("memory of the cluster's programs", _resident(machine.programs(config)))
    finally:
        began = time.monotonic()
        down(config)
        ledger.note("cluster down", began)
    assert machine.traces(config) == []


@pytest.fixture(scope="session")
def release(cluster: Kube, ledger: Ledger) -> Release:
    """Installed as docs/kubernetes.md says, and a key of its own."""
    cluster.kubectl("create", "namespace", NAMESPACE)
    label = "pod-security.kubernetes.io/enforce=restricted"
    cluster.kubectl("label", "namespace", NAMESPACE, label)
    values = yaml.safe_load((OMNIREEL / "values-dev.yaml").read_text())
    found = Release(cluster, merged(values, VALUES), ledger)
    began = time.monotonic()
    found.install()
    ledger.note("chart installed, all pods ready", began)
    return found


@pytest.fixture(scope="session")
def kubeflow(config: ClusterConfig, cluster: Kube, ledger: Ledger) -> None:
    """JobSet, Trainer and Kueue, whose webhooks answer."""
    build(CONTROLLER_PROGRAMS)
    began = time.monotonic()
    install(config)
    ledger.note("JobSet, Trainer and Kueue installed", began)


@pytest.fixture(scope="session")
def training(
    config: ClusterConfig, kubectl: Path, kubeflow: None, ledger: Ledger
) -> Iterator[Training]:
    """The training chart in a restricted namespace."""
    began = time.monotonic()
    image = build_trainer()
    ledger.note(f"training image built, {size(image)}", began)
    began = time.monotonic()
    load(config, image)
    ledger.note("training image into the node", began)
    found = Training(Kube(config.kubeconfig, kubectl, TRAINING))
    began = time.monotonic()
    found.install()
    ledger.note("training chart installed, MLflow ready", began)
    yield found
    for each in CONTROLLERS:
        pods = Kube(config.kubeconfig, kubectl, each.namespace).get("pods")
        pids = [pid for pod in pods for pid in machine.processes_of(pod["metadata"]["uid"])]
        ledger.say(f"memory of {each.name}", _resident(pids))


def _resident(pids: list[int]) -> str:
    said = subprocess.run(
        ["ps", "-o", "rss=", "-p", ",".join(map(str, pids))],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return f"{sum(map(int, said.stdout.split())) // 1024} MB"
