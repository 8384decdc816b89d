"""A real API server, without nodes, that knows every kind that the charts render."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.cluster.build import API, cached
from infra.cluster.control_plane import Api, ApiConfig, start_api
from infra.cluster.daemons import Daemons
from tests.support.chart_variants import SERVING, TRAINING
from tests.support.charts import PRODUCTION, render_training
from tests.support.charts import render as render_serving
from tests.support.kube_objects import KubeObjects
from tests.support.kubernetes_schemas import CUSTOM, definition
from tests.support.programs import MissingProgram

NAMESPACES = ("ns", "ml")
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
ESTABLISHED_S = 60


@pytest.fixture(scope="session")
def binaries() -> dict[str, Path]:
    found = cached(API)
    if found is None:
        raise MissingProgram("the API server is not built; run `make test-kube-api`")
    return found


@pytest.fixture(scope="session")
def api(binaries: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("api")
    daemons = Daemons(folder / "daemons")
    try:
        yield start_api(ApiConfig(_free_port(), _free_port()), folder, binaries, daemons)
    finally:
        daemons.stop()


@pytest.fixture(scope="session")
def objects(api: Api) -> KubeObjects:
    """With the custom kinds, and restricted namespaces as a controller would make them."""
    found = KubeObjects(api)
    for group, kind in sorted(_custom_kinds()):
        found.create(definition(group, kind))
    _wait_until_established(found)
    for name in NAMESPACES:
        found.create(_named("Namespace", name, labels=RESTRICTED))
        found.create(_named("ConfigMap", "kube-root-ca.crt"), namespace=name)
    return found


def _custom_kinds() -> set[tuple[str, str]]:
    rendered = [render_training(values) for values in TRAINING.values()]
    rendered += [render_serving(PRODUCTION, values) for values in SERVING.values()]
    kinds = {
        (o["apiVersion"].rpartition("/")[0], o["kind"]) for each in rendered for o in each.objects
    }
    jobs = {("trainer.kubeflow.org", "TrainJob")}
    return {(group, kind) for group, kind in kinds | jobs if group in CUSTOM}


def _wait_until_established(objects: KubeObjects) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    deadline = time.monotonic() + ESTABLISHED_S
    while waiting := [c["metadata"]["name"] for c in objects.get(path)["items"] if not _ready(c)]:
        assert time.monotonic() < deadline, f"not established: {waiting}"
        time.sleep(0.2)


def _ready(definition: dict[str, Any]) -> bool:
    conditions = definition.get("status", {}).get("conditions") or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def _named(kind: str, name: str, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, **metadata}}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
