"""Compiled workflows: golden files, the pipeline-spec schema, and what the steps may do."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2
from typer.testing import CliRunner

from omnireel.errors import InvalidInput, NotFound
from pipelines.cli import app
from pipelines.compiling import compiled, documents
from pipelines.components.verbs import VERBS
from pipelines.workflows import WORKFLOWS, configured, workflow
from pipelines.workflows.place import OWNER, Cluster
from pipelines.workflows.preference_round import PreferenceRound
from pipelines.workflows.release import Release
from pipelines.workflows.train_ladder import TrainLadder

GOLDEN = Path(__file__).with_name("golden")
CLUSTER = Cluster("registry.example/omnireel:1.2.0")


@pytest.fixture(scope="module")
def specs() -> dict[str, bytes]:
    return {name: compiled(w.pipeline(CLUSTER)) for name, w in WORKFLOWS.items()}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_compiled_workflows_are_the_golden_ones(specs: dict[str, bytes], name: str) -> None:
    """``UPDATE_GOLDEN=1`` writes them anew; look at the difference before it is committed."""
    path = GOLDEN / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_bytes(specs[name])
    assert specs[name].decode() == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", WORKFLOWS)
def test_they_are_valid_pipeline_specs(specs: dict[str, bytes], name: str) -> None:
    found = documents(specs[name])
    spec = json_format.ParseDict(found["pipeline_spec"], pipeline_spec_pb2.PipelineSpec())
    assert spec.pipeline_info.name.startswith("omnireel-")
    platforms = found["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    for config in platforms.values():
        json_format.ParseDict(config, kubernetes_executor_config_pb2.KubernetesExecutorConfig())


def executors(specs: dict[str, bytes], name: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = documents(specs[name])["pipeline_spec"]["deploymentSpec"][
        "executors"
    ]
    return found


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_step_is_one_verb_in_the_given_image(specs: dict[str, bytes], name: str) -> None:
    for executor in executors(specs, name).values():
        container = executor["container"]
        assert container["image"] == CLUSTER.image
        assert container["command"] == ["omnireel"]
        assert "kfp" not in yaml.safe_dump(container)


def tasks(specs: dict[str, bytes], name: str) -> dict[str, dict[str, Any]]:
    """All tasks, those of branches and loops included."""
    spec = documents(specs[name])["pipeline_spec"]
    found: dict[str, dict[str, Any]] = {}
    for component in [spec["root"], *spec["components"].values()]:
        found |= component.get("dag", {}).get("tasks", {})
    return found


def verb_of(task_name: str) -> str:
    return next(
        (v for v in sorted(VERBS, key=len, reverse=True)
         if task_name.startswith(v.replace("_", "-"))),
        "",
    )  # fmt: skip


@pytest.mark.parametrize("name", WORKFLOWS)
def test_retries_and_caches_are_those_of_the_verbs(specs: dict[str, bytes], name: str) -> None:
    checked = 0
    components = documents(specs[name])["pipeline_spec"]["components"]
    for task_name, task in tasks(specs, name).items():
        if "dag" in components[task["componentRef"]["name"]]:
            continue  # a branch, a loop, or a pipeline of its own
        verb = VERBS[verb_of(task_name)]
        assert task.get("retryPolicy", {}).get("maxRetryCount", 0) == verb.retries
        assert task.get("cachingOptions", {}).get("enableCache", False) is verb.cached
        checked += 1
    assert checked


@pytest.mark.parametrize("name", WORKFLOWS)
def test_steps_that_submit_know_their_pod(specs: dict[str, bytes], name: str) -> None:
    platforms = documents(specs[name])["platform_spec"]["platforms"]["kubernetes"]
    for executor, config in platforms["deploymentSpec"]["executors"].items():
        verb = VERBS[verb_of(executor.removeprefix("exec-"))]
        given = {entry["name"]: entry["fieldPath"] for entry in config.get("fieldPathAsEnv", ())}
        assert given == (OWNER if verb.submits else {})
        assert [mount["mountPath"] for mount in config["pvcMount"]] == [CLUSTER.mount]


def secrets_of(text: bytes) -> dict[str, dict[str, set[str]]]:
    """Step -> Secret -> the variables that it fills."""
    platforms = documents(text)["platform_spec"]["platforms"]["kubernetes"]
    found: dict[str, dict[str, set[str]]] = {}
    for executor, config in platforms["deploymentSpec"]["executors"].items():
        assert all(secret["optional"] for secret in config["secretAsEnv"])
        found[executor.removeprefix("exec-")] = {
            secret["secretName"]: {pair["envVar"] for pair in secret["keyToEnv"]}
            for secret in config["secretAsEnv"]
        }
    return found


def test_who_calls_a_gateway_has_a_key_and_nobody_else() -> None:
    place = replace(CLUSTER, mlflow_secret="m", storage_secret="s", gateway_secret="g")
    found = secrets_of(compiled(WORKFLOWS["release"].pipeline(place)))
    assert found.pop("watch-service").pop("g") == {"OMNIREEL_API_KEY", "OMNIREEL_TLS"}
    assert found
    for secrets in found.values():
        assert secrets.keys() == {"m", "s"}


def test_secrets_of_other_names_are_given_by_options(tmp_path: Path) -> None:
    file = tmp_path / "release.yaml"
    options = ["--mlflow-secret", "m", "--storage-secret", "s", "--gateway-secret", "g"]
    words = ["compile", "release", "--image", CLUSTER.image, "--out", str(file), *options]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert {name for given in secrets_of(file.read_bytes()).values() for name in given} == {
        "m", "s", "g",
    }  # fmt: skip


def test_an_image_that_may_change_is_refused() -> None:
    for image in ("omnireel", "registry:5000/omnireel", "omnireel:latest"):
        with pytest.raises(InvalidInput, match="cached by its name"):
            Cluster(image)
    Cluster("registry:5000/omnireel@sha256:" + "0" * 64)


def test_settings_are_read_by_type_and_refused_by_name() -> None:
    config = configured(TrainLadder(), ["smoke=true", "cases=0", "last=clips"])
    assert config == TrainLadder(smoke=True, cases=0, last="clips")
    for wrong, words in (
        ("smoke=yes", "true or false"),
        ("cases=few", "whole number"),
        ("colour=red", "unknown field"),
        ("last=summit", "is not a rung"),
        ("cases=-1", "negative"),
    ):
        with pytest.raises(InvalidInput, match=words):
            configured(TrainLadder(), [wrong])
    with pytest.raises(NotFound, match="train_ladder"):
        workflow("train-lader")


@pytest.mark.parametrize(
    ("config", "wrong", "words"),
    [
        (Release(), "requests=0", "at least one request"),
        (Release(), "max_failures=20", "fewer tolerated failures"),
        (PreferenceRound(), "recipe=vae-tiny", "does not learn preferences; preference-debug"),
        (PreferenceRound(), "cases=1", "cases must be 2 or more"),
        (PreferenceRound(), "hours=nan", "hours must be a number"),
        (PreferenceRound(), "hours=-1", "hours must be above 0"),
    ],
)
def test_what_the_last_step_would_refuse_is_refused_before_the_first(
    config: Release | PreferenceRound, wrong: str, words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        configured(config, [wrong])


def test_every_rung_but_the_last_has_a_gate_behind_it() -> None:
    pipeline = WORKFLOWS["train_ladder"].pipeline(CLUSTER, ["last=images", "cases=0"])
    found = documents(compiled(pipeline))["pipeline_spec"]["root"]["dag"]["tasks"]
    order = {name: task.get("dependentTasks", []) for name, task in found.items()}
    assert order == {
        "climb-rung": [],
        "gate-rung": ["climb-rung"],
        "climb-rung-2": ["gate-rung"],
        "gate-rung-2": ["climb-rung-2"],
        "finish-climb": ["gate-rung-2"],
    }


def test_a_release_ends_with_its_last_step_however_the_others_end(specs: dict[str, bytes]) -> None:
    root = documents(specs["release"])["pipeline_spec"]["root"]["dag"]["tasks"]
    last = root["settle-release"]
    assert last["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    assert set(last["dependentTasks"]) == set(root) - {"settle-release"}
    promotion = tasks(specs, "release")["promote-version"]
    assert promotion["dependentTasks"] == ["put-into-service"]
