"""Compiled steps of workflows as pods of a real cluster, by a small runner of these tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from omnireel.data.curate.ledger import LEDGER, read_rows
from omnireel.data.shards import ShardReader
from pipelines.workflows import workflow
from pipelines.workflows.place import Cluster
from pipelines.workflows.pods import PodConfig, Pods
from tests.support.cluster_images import TRAINER
from tests.support.cluster_training import Training, until
from tests.support.footage import POLICY
from tests.support.step_pods import StepPods

pytestmark = pytest.mark.filterwarnings("ignore")

MLFLOW = "http://omnireel-mlflow:5000"
PLACE = Cluster(TRAINER, pods=Pods(PodConfig(cpu="100m", memory="3Gi")))
MEDIA = """
import numpy, pathlib
from omnireel.media import write_png
folder = pathlib.Path("/runs/media"); folder.mkdir()
random = numpy.random.default_rng(0)
for number in range(6):
    write_png(random.integers(0, 255, (96, 96, 3), dtype=numpy.uint8), folder / f"{number}.png")
    (folder / f"{number}.txt").write_text(f"noise {number}")
pathlib.Path("/runs/policy.yaml").write_text(POLICY)
"""

Play = Callable[..., StepPods]


@pytest.fixture(autouse=True)
def nothing_left(training: Training) -> Iterator[None]:
    yield
    training.stop()


@pytest.fixture
def steps(training: Training) -> Play:
    """The pods of a workflow with ``field=value`` settings."""

    def of(name: str, *settings: str) -> StepPods:
        pipeline: Any = workflow(name).pipeline(PLACE, settings)
        return StepPods(training.kube, pipeline, "pipeline-runner", training.volume)

    return of


def test_curate(training: Training, steps: Play) -> None:
    pods = steps("curate", "parts=2", "policy=/runs/policy.yaml")
    training.inside(
        "pipeline-runner", "python", "-c", MEDIA.replace("POLICY", repr(POLICY)), runs=True
    )
    common = {
        "media": "/runs/media", "folder": "/runs/curated", "policy": "/runs/policy.yaml",
        "seed": 0,
    }  # fmt: skip
    parts = [pods.start("measure-part", part=f"{n}-of-2", **common) for n in (1, 2)]
    for part in parts:
        pods.finish(part)
    merged = pods.play("merge-parts", parts=[part.output("done") for part in parts], **common)
    assert "6 of 6 samples kept" in merged.output("page")
    out = training.volume() / "curated" / "data"
    assert len(list(ShardReader(out).samples())) == 6
    assert {row["verdict"] for row in read_rows(out / LEDGER)} == {"kept"}


def climb(folder: str, job: str = "queue=omnireel,nodes=1") -> dict[str, object]:
    return {
        "size": "tiny", "smoke": "--smoke", "rung": "vae", "folder": folder,
        "cache": "/runs/cache", "cases": 0, "mlflow": MLFLOW, "launcher": "trainjob", "job": job,
    }  # fmt: skip


def test_a_rung_of_train_ladder_is_a_job_of_its_step(training: Training, steps: Play) -> None:
    pods = steps("train_ladder", "smoke=true", "cases=0")
    climbed = pods.start("climb-rung", **climb("/runs/ladder"))
    until("its job", lambda: owners(training, climbed.name) != [])
    pods.finish(climbed)
    assert json.loads(climbed.output("result"))["rung"] == "vae"
    gate = pods.play("gate-rung", size="tiny", folder="/runs/ladder", rung="vae")
    assert json.loads(gate.output("verdict"))["verdict"] == "passed"
    assert (training.volume() / "ladder/vae/component/card.json").is_file()


@pytest.mark.parametrize("words", [(), ("--grace-period=0", "--force")])
def test_a_cancelled_step_takes_its_job_along(
    training: Training, steps: Play, words: tuple[str, ...]
) -> None:
    """By its own hand at SIGTERM; by the cluster, which knows the owner, where there was none."""
    pods = steps("train_ladder", "smoke=true", "cases=0")
    climbed = pods.start("climb-rung", **climb(f"/runs/cancelled{len(words)}"))
    until("its job", lambda: owners(training, climbed.name) != [])
    training.kube.kubectl("delete", "pod", climbed.name, *words)
    until("the job is gone", lambda: owners(training, climbed.name) == [])


def owners(training: Training, pod: str) -> list[str]:
    """Jobs that name a pod as their owner."""
    return [
        job["metadata"]["name"]
        for job in training.kube.get("trainjobs")
        if any(o["name"] == pod for o in job["metadata"].get("ownerReferences", ()))
    ]


def test_a_round_of_preferences_and_a_release_begin(
    training: Training, steps: Play, tmp_path: Path
) -> None:
    """A version that a climb has registered is fetched as a step, and put behind an alias."""
    version = "omnireel-tiny-smoke-vae/1"
    steps("preference_round").play(
        "fetch-model", version=version, folder="/runs/round/model", mlflow=MLFLOW
    )
    assert (training.volume() / "round/model/vae/card.json").is_file()
    steps("release", "smoke=true").play("set-alias", version=version, alias="canary", mlflow=MLFLOW)
