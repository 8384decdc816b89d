"""What cannot be installed is refused in words, and nothing half-installed is left."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.charts import OMNIREEL, PRODUCTION, TRAINING, HelmRefused, Object, merged
from tests.support.cluster_images import ENGINES, SERVICES, reference
from tests.support.cluster_release import NAME
from tests.support.kube import Kube

NAMESPACE = "refused"
KINDS = (
    "all", "configmap", "secret", "serviceaccount", "persistentvolumeclaim", "networkpolicy",
    "poddisruptionbudget", "role", "rolebinding",
)  # fmt: skip
NOWHERE = {
    "database": "postgresql+psycopg://u:p@postgresql.nowhere:5432/x",
    "broker": "redis://redis.nowhere:6379/0",
}
VALUES = merged(PRODUCTION, {
    "images": {
        "services": reference(SERVICES), "models": reference(ENGINES), "pullPolicy": "Never",
    },
    "store": {"url": "s3://bucket/prefix?endpoint=http://s3.nowhere:9000"},
    "preflight": {"timeoutSeconds": 120},
})  # fmt: skip


@pytest.fixture
def kube(cluster: Kube, config: object, kubectl: Path) -> Iterator[Kube]:
    """A namespace with the Secrets that the values name."""
    found = Kube(cluster.kubeconfig, kubectl, NAMESPACE)
    found.kubectl("create", "namespace", NAMESPACE)
    found.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    for name, url in NOWHERE.items():
        found.kubectl("create", "secret", "generic", name, f"--from-literal=url={url}")
    keys = ("--from-literal=access-key=a", "--from-literal=secret-key=b")
    found.kubectl("create", "secret", "generic", "s3", *keys)
    yield found
    found.kubectl("delete", "namespace", NAMESPACE)


def refused(kube: Kube, values: Object, chart: Path = OMNIREEL, timeout: str = "4m") -> str:
    """Helm's words; nothing but what was there before, and the Job that looked, is left.

    The claims of the small servers of `dev` stay, as the page says.
    """
    before = kube.names(*KINDS)
    with pytest.raises(HelmRefused) as said:
        kube.helm("install", NAME, str(chart), "--atomic", "--timeout", timeout, values=values)
    assert kube.helm("list", "--all", "--short").split() == []
    kube.kubectl("wait", "pod", "-l", "app.kubernetes.io/component!=preflight", "--for=delete")
    stays = ("preflight", "persistentvolumeclaim/data-omnireel-dev-")
    left = kube.names(*KINDS) - before
    assert {name for name in left if not any(part in name for part in stays)} == set()
    return str(said.value)


def doctor(kube: Kube, values: Object, folder: Path, kubectl: Path) -> str:
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    path = os.pathsep.join([str(kubectl.parent), str(Path(sys.executable).parent)])
    done = subprocess.run(
        [sys.executable, "-m", "omnireel.cli.main", "doctor", "--kube", "-n", NAMESPACE,
         "--chart", str(OMNIREEL), "-f", str(file)],
        env={**os.environ, "KUBECONFIG": str(kube.kubeconfig),
             "PATH": f"{path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


def test_servers_that_do_not_answer(kube: Kube) -> None:
    refused(kube, VALUES)
    log = kube.kubectl("logs", f"job/{NAME}-preflight")
    for what in ("database: the job database", "broker: no connection", "store: the object store"):
        assert what in log, log


def test_an_image_that_does_not_exist(kube: Kube) -> None:
    image = {"images": {"services": {"repository": "localhost/omnireel/nothing", "tag": "9"}}}
    said = refused(kube, merged(VALUES, image, {"preflight": {"timeoutSeconds": 20}}))
    assert "preflight" in said or "DeadlineExceeded" in said, said
    events = kube.kubectl("get", "events", "-o", "jsonpath={.items[*].message}")
    assert "localhost/omnireel/nothing:9" in events


def test_a_secret_that_is_not_there(kube: Kube, tmp_path: Path, kubectl: Path) -> None:
    kube.kubectl("delete", "secret", "database")
    assert 'there is no Secret "database" in the namespace "refused"' in refused(kube, VALUES)
    assert "there is no Secret 'database'" in doctor(kube, VALUES, tmp_path, kubectl)


def test_a_storage_class_that_is_not_there(kube: Kube, tmp_path: Path, kubectl: Path) -> None:
    dev = yaml.safe_load((OMNIREEL / "values-dev.yaml").read_text())
    values = merged(dev, {"dev": {"storageClass": "gold"}})
    assert "there is no StorageClass 'gold'" in doctor(kube, values, tmp_path, kubectl)
    refused(kube, values, timeout="40s")


def test_a_cluster_without_the_trainer(kube: Kube) -> None:
    values = {"mlflow": {"enabled": False}, "reaper": {"enabled": False}}
    assert "runtime.enabled needs the Kubeflow Trainer" in refused(kube, values, TRAINING)
