"""Helm's own life of a release against a real API server: install, upgrade, rollback, uninstall.

There are no nodes, so hooks are left out and nothing runs; what is proven is that the objects of
one revision can be changed into those of another, and what stays behind.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from infra.cluster.control_plane import Api
from tests.support.chart_variants import SERVING, TRAINING
from tests.support.charts import CHARTS, OMNIREEL, PRODUCTION, HelmRefused, Object, merged
from tests.support.kube import Kube
from tests.support.kube_objects import KubeObjects

SECRETS: dict[str, tuple[str, ...]] = {
    "database": ("url",),
    "broker": ("url",),
    "s3": ("access-key", "secret-key"),
    "signing": ("key",),
    "c2pa": ("chain.pem", "key.pem"),
    "remote": ("TOKEN",),
    "registry": (".dockerconfigjson",),
    "mlflow": ("database-url", "secret-key", "admin-password", "basic_auth.ini"),
}
LISTED = ("deployments", "statefulsets", "jobs", "services", "configmaps", "serviceaccounts",
          "networkpolicies", "poddisruptionbudgets", "scaledobjects", "certificates",
          "httproutes", "grpcroutes", "servicemonitors", "prometheusrules", "cronjobs", "roles",
          "rolebindings", "persistentvolumeclaims", "trainingruntimes", "localqueues")  # fmt: skip


@pytest.fixture
def cluster(
    api: Api, objects: KubeObjects, binaries: dict[str, Path], request: pytest.FixtureRequest
) -> Kube:
    """A namespace of its own with every Secret that values name."""
    name = request.node.name.replace("_", "-")[:40]
    objects.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for config in ("kube-root-ca.crt", "authorities"):
        each = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": config}}
        objects.create(each, namespace=name)
    for secret, keys in SECRETS.items():
        objects.create(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret},
             "stringData": dict.fromkeys(keys, "x")},
            namespace=name,
        )  # fmt: skip
    return Kube(api.kubeconfig, binaries["kubectl"], name)


def deployment(cluster: Kube, name: str) -> Object:
    found: Object = cluster.get("deployment", name)
    return found


def listed(cluster: Kube) -> set[str]:
    """What there is, without what every namespace has."""
    return cluster.names(*LISTED) - {"configmap/kube-root-ca.crt", "configmap/authorities"}


def test_services_change_and_go(cluster: Kube) -> None:
    chart = str(OMNIREEL)
    cluster.helm("install", "r", chart, "--no-hooks", values=PRODUCTION)
    first = deployment(cluster, "r-omnireel-worker")["spec"]
    values = merged(PRODUCTION, SERVING["everything"])
    cluster.helm("upgrade", "r", chart, "--no-hooks", values=values)
    assert "scaledobject.keda.sh/r-omnireel-worker" in listed(cluster)
    assert "job.batch/r-omnireel-migrations-2" in listed(cluster)
    cluster.helm("rollback", "r", "1", "--no-hooks")
    assert deployment(cluster, "r-omnireel-worker")["spec"] == first
    assert "scaledobject.keda.sh/r-omnireel-worker" not in listed(cluster)
    cluster.helm("uninstall", "r", "--no-hooks")
    assert listed(cluster) == set()


def test_values_for_trying_out_change_and_go(cluster: Kube) -> None:
    values = yaml.safe_load((OMNIREEL / "values-dev.yaml").read_text())
    cluster.helm("install", "r", str(OMNIREEL), values=values)
    more = {"worker": {"replicas": 3}, "generator": {"settings": {"device": "cpu"}}}
    cluster.helm("upgrade", "r", str(OMNIREEL), values=merged(values, more))
    assert deployment(cluster, "r-omnireel-worker")["spec"]["replicas"] == 3
    cluster.helm("uninstall", "r")
    assert listed(cluster) == set()


def test_training_changes_and_goes(cluster: Kube) -> None:
    chart = str(CHARTS / "omnireel-training")
    cluster.helm("install", "t", chart, values=TRAINING["least"])
    more = {"mlflow": {"replicas": 2}, "pipelines": {"deployments": ["canary"]}}
    cluster.helm("upgrade", "t", chart, values=merged(TRAINING["least"], more))
    assert deployment(cluster, "omnireel-mlflow")["spec"]["replicas"] == 2
    cluster.helm("uninstall", "t")
    assert listed(cluster) == {"persistentvolumeclaim/omnireel-runs"}


def test_a_secret_that_is_missing_is_one_sentence(cluster: Kube) -> None:
    cluster.kubectl("delete", "secret", "broker")
    with pytest.raises(HelmRefused) as refused:
        cluster.helm("install", "r", str(OMNIREEL), values=PRODUCTION)
    assert f'there is no Secret "broker" in the namespace "{cluster.namespace}"' in str(
        refused.value
    )
    assert listed(cluster) == set()


def test_a_key_that_is_missing_is_one_sentence(cluster: Kube) -> None:
    values = merged(PRODUCTION, {"store": {"secretKeyKey": "other"}})
    with pytest.raises(HelmRefused, match=r'store.existingSecret\) has no key "other"'):
        cluster.helm("install", "r", str(OMNIREEL), values=values)
    assert listed(cluster) == set()
