"""What the installer reads after an installation."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.workflows.pods import PodConfig, Pods
from tests.support.chart_texts import notes
from tests.support.charts import PRODUCTION, PRODUCTION_TRAINING, TRAINING, Object

MUTUAL = {"tls": {"services": {"mode": "secret", "secret": "mutual"}}}
NO_POLICIES = {"networkPolicies": {"enabled": False}}


def test_they_say_that_no_key_is_made_and_how_to_make_one(tmp_path: Path) -> None:
    text = notes(tmp_path, PRODUCTION)
    assert "makes no API key" in text
    assert "exec deploy/r-omnireel-gateway -c gateway -- omnireel keys create first" in text


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "Only the NetworkPolicies keep other pods out"),
        (NO_POLICIES, "Every pod of the cluster can call the models"),
        (MUTUAL, None),
    ],
)
def test_they_warn_of_services_without_tls(
    tmp_path: Path, values: Object, said: str | None
) -> None:
    text = notes(tmp_path, PRODUCTION, values)
    assert ("tls.services.mode is off" in text) is (said is not None)
    assert said is None or said in text


def test_steps_of_workflows_are_told_what_the_chart_knows(tmp_path: Path) -> None:
    values = {
        "trust": {"configMap": "authorities", "key": "all.pem"},
        "image": {"pullSecrets": ["one", "two"]},
    }
    text = notes(tmp_path / "with", PRODUCTION_TRAINING, values, chart=TRAINING)
    _, found, pod = text.partition("omnireel pipelines submit ... --pod ")
    wanted = PodConfig(pull_secrets=("one", "two"), trust="authorities", trust_key="all.pem")
    assert found and Pods.of_settings([pod.strip()]).every == wanted
    assert "--pod" not in notes(tmp_path / "without", PRODUCTION_TRAINING, chart=TRAINING)
