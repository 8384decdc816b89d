"""Whatever the chart renders is what Kubernetes and the custom resources' owners published."""

from __future__ import annotations

import copy

import pytest

from tests.support.chart_variants import SERVING
from tests.support.charts import PRODUCTION, render
from tests.support.kubernetes_schemas import mistakes

pytestmark = pytest.mark.timeout(1200)  # the first run fetches the schemas


@pytest.mark.parametrize("name", SERVING)
def test_every_object_is_as_published(name: str) -> None:
    values = SERVING[name]
    rendered = render(values, dev=True) if name == "dev" else render(PRODUCTION, values)
    found = {
        f"{each['kind']}/{each['metadata']['name']}": wrong
        for each in rendered.objects
        if (wrong := mistakes(each))
    }
    assert found == {}


def test_a_misspelt_field_would_be_found() -> None:
    deployment = copy.deepcopy(render(PRODUCTION).one("Deployment", "r-omnireel-generator"))
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["readinessProb"] = container.pop("readinessProbe")
    container["ports"][0]["containerPort"] = "7070"
    found = mistakes(deployment)
    assert len(found) == 2
    assert any("readinessProb" in line for line in found)
    assert any("containerPort" in line for line in found)
