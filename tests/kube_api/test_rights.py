"""What each account may do, asked of the API server that decides it."""

from __future__ import annotations

import pytest

from infra.cluster.control_plane import Api
from tests.support.chart_variants import SERVING, TRAINING
from tests.support.charts import PRODUCTION, render_training
from tests.support.charts import render as render_serving
from tests.support.kube_objects import KubeObjects

RIGHTS = ("Role", "RoleBinding")
LAUNCHER = {
    ("trainer.kubeflow.org", "trainjobs", verb) for verb in ("create", "get", "list", "delete")
} | {("", "pods", "get"), ("", "pods", "list"), ("", "pods/log", "get")}
ACCOUNTS = {
    "pipeline-runner": LAUNCHER,
    "here-omnireel-training-reaper": {
        ("trainer.kubeflow.org", "trainjobs", "list"),
        ("trainer.kubeflow.org", "trainjobs", "delete"),
        ("", "pods", "get"),
    },
    "here-omnireel-training-trainer": set(),
    "here-omnireel-training-mlflow": set(),
}
ASKED = LAUNCHER | {
    ("", "secrets", "get"), ("", "secrets", "list"), ("", "pods", "create"), ("", "pods", "delete"),
    ("", "pods/exec", "create"), ("", "configmaps", "get"), ("apps", "deployments", "patch"),
    ("trainer.kubeflow.org", "trainjobs", "update"), ("batch", "jobs", "create"),
}  # fmt: skip


def allowed(objects: KubeObjects, account: str, group: str, resource: str, verb: str) -> bool:
    name, _, part = resource.partition("/")
    attributes = {"namespace": "ml", "group": group, "resource": name, "verb": verb}
    review = {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "metadata": {"name": ""},
        "spec": {
            "user": f"system:serviceaccount:ml:{account}",
            "groups": ["system:serviceaccounts", "system:authenticated"],
            "resourceAttributes": {**attributes, "subresource": part},
        },
    }  # fmt: skip
    answer: bool = objects.create(review).object["status"]["allowed"]
    return answer


@pytest.mark.parametrize("account", ACCOUNTS)
def test_no_more_than_needed(account: str, api: Api, objects: KubeObjects) -> None:
    for each in render_training(TRAINING["least"]).objects:
        if each["kind"] in RIGHTS:
            objects.apply(each, namespace="ml")
    assert {each for each in ASKED if allowed(objects, account, *each)} == ACCOUNTS[account]


def test_services_have_no_rights_at_all() -> None:
    for values in SERVING.values():
        rendered = render_serving(PRODUCTION, values)
        assert not [o for o in rendered.objects if "Role" in o["kind"]]
        assert all(
            not a["automountServiceAccountToken"] for a in rendered.of("ServiceAccount").values()
        )
