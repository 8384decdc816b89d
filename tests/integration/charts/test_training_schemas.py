"""What charts/omnireel-training renders, and what the launcher submits, is as published."""

from __future__ import annotations

import pytest

from omnireel.cli.launch.manifest import JobConfig, Owner, train_job
from tests.support.chart_variants import TRAINING
from tests.support.charts import render_training
from tests.support.kubernetes_schemas import mistakes

pytestmark = pytest.mark.timeout(1200)  # the first run fetches the schemas


@pytest.mark.parametrize("name", TRAINING)
def test_every_object_is_as_published(name: str) -> None:
    found = {
        f"{each['kind']}/{each['metadata']['name']}": wrong
        for each in render_training(TRAINING[name]).objects
        if (wrong := mistakes(each))
    }
    assert found == {}


def test_a_job_is_as_published() -> None:
    settings = ["nodes=2,processes=8,gpus=8,cpu=4,memory=1Gi,image=a:1,queue=q,priority=p"]
    job = train_job("train-x", ["train", "x"], JobConfig.of_settings(settings), Owner("a", "b"))
    assert mistakes(job) == []
    assert mistakes(train_job("train-x", ["train", "x"], JobConfig(), None)) == []
    job["spec"]["trainer"]["nodes"] = job["spec"]["trainer"].pop("numNodes")
    assert len(mistakes(job)) == 1
