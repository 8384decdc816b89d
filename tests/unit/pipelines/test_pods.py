"""What ``--pod`` gives to the pods of compiled steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2
from typer.testing import CliRunner

from omnireel.errors import InvalidInput
from pipelines.cli import app
from pipelines.compiling import documents
from pipelines.components.verbs import VERBS
from pipelines.workflows import WORKFLOWS
from pipelines.workflows.pods import PodConfig, Pods

IMAGE = "registry.example/omnireel:1.2.0"


def compiled_by(tmp_path: Path, workflow: str, *pod: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Containers and platform settings of all steps, from the command line."""
    file = tmp_path / "workflow.yaml"
    words = ["compile", workflow, "--image", IMAGE, "--out", str(file)]
    result = CliRunner().invoke(app, [*words, *(w for text in pod for w in ("--pod", text))])
    assert result.exit_code == 0, result.output
    found = documents(file.read_bytes())
    executors = found["pipeline_spec"]["deploymentSpec"]["executors"]
    platform = found["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    for config in platform.values():
        json_format.ParseDict(config, kubernetes_executor_config_pb2.KubernetesExecutorConfig())
    return (
        {name.removeprefix("exec-"): each["container"] for name, each in executors.items()},
        {name.removeprefix("exec-"): each for name, each in platform.items()},
    )


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_no_step_runs_as_root(tmp_path: Path, workflow: str) -> None:
    _, platform = compiled_by(tmp_path, workflow)
    user = str(PodConfig().user)
    wanted = {"runAsUser": user, "runAsGroup": user, "runAsNonRoot": True}
    assert platform and all(step["securityContext"] == wanted for step in platform.values())


def test_a_gpu_is_for_the_steps_that_run_the_model(tmp_path: Path) -> None:
    containers, platform = compiled_by(
        tmp_path, "preference_round", "cpu=4,memory=16Gi,gpus=1,max_hours=1.5",
        "sample_pairs.memory=64Gi",
    )  # fmt: skip
    with_gpu = {name for name, each in containers.items() if "accelerator" in each["resources"]}
    generating = {v.name.replace("_", "-") for v in VERBS.values() if v.generates}
    assert with_gpu == {name for name in containers if name.removesuffix("-2") in generating}
    assert containers["sample-pairs"]["resources"] == {
        "cpuRequest": 4.0, "resourceCpuRequest": "4",
        "memoryRequest": 68.719476736, "resourceMemoryRequest": "64Gi",
        "memoryLimit": 68.719476736, "resourceMemoryLimit": "64Gi",
        "accelerator": {
            "type": "nvidia.com/gpu", "resourceType": "nvidia.com/gpu",
            "count": "1", "resourceCount": "1",
        },
    }  # fmt: skip
    assert containers["show-pairs"]["resources"]["resourceMemoryLimit"] == "16Gi"
    assert {step["activeDeadlineSeconds"] for step in platform.values()} == {"5400"}
    devices = {name for name, each in containers.items() if "--device" in each["args"]}
    assert devices == with_gpu


def test_nodes_taints_and_pull_secrets(tmp_path: Path) -> None:
    _, platform = compiled_by(
        tmp_path, "release", "node_selector=pool=gpu,node_selector=zone=a",
        "tolerations=nvidia.com/gpu:NoSchedule,tolerations=pool=gpu", "pull_secrets=registry",
    )  # fmt: skip
    for step in platform.values():
        assert step["nodeSelector"]["labels"] == {"pool": "gpu", "zone": "a"}
        assert step["tolerations"] == [
            {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
            {"key": "pool", "operator": "Equal", "value": "gpu"},
        ]
        assert [secret["secretName"] for secret in step["imagePullSecret"]] == ["registry"]


def test_a_private_authority_is_trusted_by_every_step(tmp_path: Path) -> None:
    containers, platform = compiled_by(tmp_path, "curate", "trust=authorities,trust_key=all.pem")
    for step in platform.values():
        (mount,) = step["configMapAsVolume"]
        assert (mount["configMapName"], mount["mountPath"]) == ("authorities", "/run/trust")
    for container in containers.values():
        assert {entry["name"]: entry["value"] for entry in container["env"]} == dict.fromkeys(
            ("SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"), "/run/trust/all.pem"
        )


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("memory", "has no value"),
        ("colour=red", "unknown field 'colour'; valid: cpu"),
        ("sample_pears.cpu=2", "unknown step 'sample_pears'; valid: measure_part"),
        ("cpu=many", "pod.cpu: 'many' is not an amount"),
        ("memory=64GB", "pod.memory: '64GB' is not an amount"),
        ("gpus=8", "one device"),
        ("gpus=few", "whole number"),
        ("show_pairs.gpus=1", "show_pairs does not run the model; these steps do: evaluate_model"),
        ("max_hours=0", "above 0"),
        ("max_hours=nan", "above 0"),
        ("user=0", "above 0"),
        ("node_selector=gpu", "not a label"),
        ("tolerations=pool=gpu:Never", "not a taint"),
    ],
)
def test_wrong_settings_are_named(setting: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        Pods.of_settings([setting])


def test_what_is_said_of_one_verb_stands_on_what_is_said_of_all() -> None:
    pods = Pods.of_settings(["judge_release.memory=64Gi,cpu=8", "tolerations=a,tolerations=b"])
    assert pods.of(VERBS["judge_release"]) == PodConfig("8", "64Gi", tolerations=("a", "b"))
    assert pods.of(VERBS["set_alias"]) == PodConfig("8", tolerations=("a", "b"))
