"""Everything that the charts render is taken by a real API server (a server-side dry run)."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import pytest

from omnireel.cli.launch.manifest import JobConfig, Owner, train_job
from tests.support.chart_variants import SERVING, TRAINING
from tests.support.charts import PRODUCTION, Object, Rendered, render_training
from tests.support.charts import render as render_serving
from tests.support.kube_objects import ApiRefused, KubeObjects

MODELS = ("prompt-enhancer", "generator", "super-resolver")


def serving(name: str, more: Object | None = None) -> Rendered:
    values = (SERVING[name], more or {})
    if name == "dev":
        return render_serving(*values, dev=True)
    return render_serving(PRODUCTION, *values)


def complaints(objects: KubeObjects, rendered: Iterable[Object], namespace: str) -> dict[str, str]:
    """What the server refuses or warns of, by kind and name."""
    found = {}
    for each in rendered:
        name = f"{each['kind']}/{each['metadata']['name']}"
        try:
            answer = objects.create(each, namespace=namespace, dry=True)
        except ApiRefused as error:
            found[name] = str(error)
        else:
            if answer.warnings:
                found[name] = "; ".join(answer.warnings)
    return found


@pytest.mark.parametrize("name", SERVING)
def test_services_are_taken(name: str, objects: KubeObjects) -> None:
    found = complaints(objects, serving(name).objects, "ns")
    if name == "host path":  # as values.yaml says
        models = {f"Deployment/r-omnireel-{m}" for m in MODELS}
        assert set(found) == models
        assert all("hostPath" in words for words in found.values())
    else:
        assert found == {}


@pytest.mark.parametrize("name", TRAINING)
def test_training_is_taken(name: str, objects: KubeObjects) -> None:
    assert complaints(objects, render_training(TRAINING[name]).objects, "ml") == {}


def test_submitted_jobs_are_taken(objects: KubeObjects) -> None:
    settings = ["nodes=2,processes=8,gpus=8,cpu=4,memory=1Gi,image=a:1,queue=q,priority=p"]
    jobs = [
        train_job("train-x", ["train", "x"], JobConfig.of_settings(settings), Owner("a", "b")),
        train_job("train-y", ["train", "x"], JobConfig(), None),
    ]
    assert complaints(objects, jobs, "ml") == {}


def test_what_is_wrong_is_named(objects: KubeObjects) -> None:
    deployment = copy.deepcopy(serving("least").one("Deployment", "r-omnireel-generator"))
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["readinessProb"] = container.pop("readinessProbe")
    container["volumeMounts"].append({"name": "nowhere", "mountPath": "/x"})
    (words,) = complaints(objects, [deployment], "ns").values()
    assert "readinessProb" in words
    del container["readinessProb"]
    (words,) = complaints(objects, [deployment], "ns").values()
    assert "nowhere" in words
