"""The pods of every part are admitted where Pod Security is `restricted`."""

from __future__ import annotations

import copy

import pytest

from tests.support.chart_variants import SERVING, TRAINING
from tests.support.charts import Object, Rendered, render_training
from tests.support.kube_objects import ApiRefused, KubeObjects

from .test_objects import MODELS, serving

CLASSES: list[Object] = [
    {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 1,
     "metadata": {"name": "serving"}},
    {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "handler": "nvidia",
     "metadata": {"name": "nvidia"}},
]  # fmt: skip


@pytest.fixture(scope="module")
def ready(objects: KubeObjects) -> KubeObjects:
    """With what pods speak of: accounts and classes."""
    for each in CLASSES:
        objects.create(each)
    for namespace, rendered in (
        ("ns", [o for name in SERVING for o in serving(name).objects]),
        ("ml", [o for values in TRAINING.values() for o in render_training(values).objects]),
    ):
        for each in rendered:
            if each["kind"] == "ServiceAccount":
                objects.apply(each, namespace=namespace)
        objects.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}},
            namespace=namespace,
        )
    return objects


def specs(rendered: Rendered) -> dict[str, Object]:
    return {part: template["spec"] for part, template in rendered.pods().items()}


def refusals(objects: KubeObjects, specs: dict[str, Object], namespace: str) -> dict[str, str]:
    found = {}
    for name, spec in specs.items():
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec}
        try:
            objects.create(pod, namespace=namespace, dry=True)
        except ApiRefused as error:
            found[name] = str(error)
    return found


@pytest.mark.parametrize("name", SERVING)
def test_services(name: str, ready: KubeObjects) -> None:
    without_claims: Object = {"dev": {"storageClass": "none"}} if name == "dev" else {}
    rendered = serving(name, without_claims)
    found = refusals(ready, specs(rendered), "ns")
    refused = {f"Deployment/r-omnireel-{m}" for m in MODELS} if name == "host path" else set()
    assert set(found) == refused, found
    assert all("restricted volume types" in words for words in found.values())


@pytest.mark.parametrize("name", TRAINING)
def test_training(name: str, ready: KubeObjects) -> None:
    found = refusals(ready, specs(render_training(TRAINING[name])), "ml")
    if name == "least":
        assert found == {}
    else:  # host network and IPC_LOCK, as values.yaml says
        assert set(found) == {"ClusterTrainingRuntime/omnireel"}, found


def test_a_pod_with_rights_is_refused(ready: KubeObjects) -> None:
    spec = copy.deepcopy(serving("least").pods()["Deployment/r-omnireel-gateway"]["spec"])
    spec["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    (words,) = refusals(ready, {"gateway": spec}, "ns").values()
    assert "allowPrivilegeEscalation" in words
