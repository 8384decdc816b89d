"""charts/omnireel-training, rendered by the real Helm."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from infra.charts.describe import readme_text, schema_text
from infra.charts.omnireel_training import CHART, RULES
from omnireel.cli.launch.manifest import JobConfig
from omnireel.cli.main import app
from pipelines.workflows.place import Cluster
from pipelines.workflows.pods import TRUST_MOUNT, TRUST_VARIABLES, PodConfig
from tests.support.charts import PRODUCTION_TRAINING as GIVEN
from tests.support.charts import HelmRefused, Rendered, helm
from tests.support.charts import render_training as render

QUEUES = {"enabled": True, "quota": {"cpu": 64, "memory": "512Gi", "nvidia.com/gpu": 16}}

A = {"name": "A", "value": "a"}
DEBUG = {"name": "NCCL_DEBUG", "value": "WARN"}


def given(**more: Any) -> dict[str, Any]:
    return {**GIVEN, **more}


@pytest.fixture(scope="module")
def rendered() -> Rendered:
    return render(given(queues=QUEUES))


def test_schema_and_readme_are_generated() -> None:
    """``python -m infra.charts.omnireel_training`` writes both anew."""
    assert (CHART / "values.schema.json").read_text() == schema_text(CHART, RULES)
    assert (CHART / "README.md").read_text() == readme_text(CHART)


def test_it_passes_the_strict_lint() -> None:
    helm("lint", "--strict", str(CHART), values=given(queues=QUEUES))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "mlflow.existingSecret is not set"),
        (given(mlflow={"existingSecret": "m"}), "mlflow.artifacts is not set"),
        ({"mlflow": GIVEN["mlflow"]}, "storage.existingSecret is not set"),
        (given(queues={"enabled": True, "quota": None}), "queues.quota"),
        (
            given(runtime={"topology": {"required": "rack", "preferred": "zone"}}),
            "choose one",
        ),
        (given(colour="red"), "colour"),
        (given(runtime={"kind": "Job"}), "kind"),
        (given(runtime={"sharedMemory": "much"}), "sharedMemory"),
        (given(mlflow={**GIVEN["mlflow"], "replicas": 0}), "replicas"),
        (given(runtime={"env": [{"value": "a"}]}), "runtime.env.0: name is required"),
        (given(runtime={"env": [A, A]}), "runtime.env sets A, which runtime.env itself sets"),
        (
            given(runtime={"env": [{"name": "HOME", "value": "/a"}]}),
            "runtime.env sets HOME, which the chart sets already: leave one of them out",
        ),
        (
            given(runtime={"env": [DEBUG], "network": {"nccl": {"DEBUG": "INFO"}}}),
            "runtime.env sets NCCL_DEBUG, which the chart sets already",
        ),
        (
            given(runtime={"network": {"interface": "a", "nccl": {"SOCKET_IFNAME": "b"}}}),
            "both set NCCL_SOCKET_IFNAME",
        ),
    ],
)
def test_wrong_values_are_a_sentence(values: dict[str, Any], words: str) -> None:
    with pytest.raises(HelmRefused) as refused:
        render(values)
    assert words in str(refused.value)


def test_every_pod_is_restricted(rendered: Rendered) -> None:
    found = rendered.pods()
    assert {name.partition("/")[0] for name in found} == {
        "Deployment", "Job", "CronJob", "TrainingRuntime",
    }  # fmt: skip
    for template in found.values():
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not spec.get("hostNetwork") and not spec.get("hostIPC")
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert "limits" in container["resources"] and "requests" in container["resources"]
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted == {volume["name"] for volume in spec["volumes"]}


def test_only_the_reaper_has_a_token(rendered: Rendered) -> None:
    with_token = [
        name
        for name, template in rendered.pods().items()
        if template["spec"].get("automountServiceAccountToken") is not False
    ]
    assert with_token == ["CronJob/here-omnireel-training-reaper"]


def test_the_launcher_and_the_chart_speak_of_the_same_things(rendered: Rendered) -> None:
    runtime = rendered.one("TrainingRuntime")
    assert (runtime["metadata"]["name"], runtime["kind"]) == (
        JobConfig().runtime, JobConfig().runtime_kind,
    )  # fmt: skip
    assert rendered.one("LocalQueue")["metadata"]["name"] == "omnireel"  # the workflows' default
    place = Cluster("omnireel:1")
    assert rendered.one("PersistentVolumeClaim")["metadata"]["name"] == place.volume
    node = rendered.container("TrainingRuntime/omnireel")
    runs = next(m for m in node["volumeMounts"] if m["name"] == "runs")
    assert runs["mountPath"] == place.mount
    assert rendered.one("Service")["metadata"]["name"] == "omnireel-mlflow"
    pod = rendered.pods()["TrainingRuntime/omnireel"]["spec"]
    assert pod["securityContext"]["runAsUser"] == PodConfig().user
    trusting = render(given(trust={"configMap": "authorities"}))
    trainer = trusting.container("TrainingRuntime/omnireel")
    assert TRUST_MOUNT in [mount["mountPath"] for mount in trainer["volumeMounts"]]
    values = {entry["name"]: entry.get("value") for entry in trainer["env"]}
    assert {values[n] for n in TRUST_VARIABLES} == {f"{TRUST_MOUNT}/{PodConfig().trust_key}"}
    secrets = json.dumps(node["env"])
    assert place.mlflow_secret in secrets and '"s3"' in secrets


def test_the_launcher_may_do_what_it_does_and_no_more(rendered: Rendered) -> None:
    role = rendered.one("Role", "here-omnireel-training-launcher")
    allowed = {
        (resource, verb) for rule in role["rules"]
        for resource in rule["resources"] for verb in rule["verbs"]
    }  # fmt: skip
    jobs = {("trainjobs", verb) for verb in ("create", "get", "list", "delete")}
    assert allowed == jobs | {("pods", "get"), ("pods", "list"), ("pods/log", "get")}
    named = render(given(pipelines={"deployments": ["canary"]}))
    assert named.one("Role", "here-omnireel-training-launcher")["rules"][-1] == {
        "apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["canary"],
        "verbs": ["get", "patch"],
    }  # fmt: skip
    (subject,) = rendered.one("RoleBinding", "here-omnireel-training-launcher")["subjects"]
    assert (subject["name"], subject["namespace"]) == ("pipeline-runner", "ml")


def test_mlflow_answers_to_its_names_and_asks_for_a_password(rendered: Rendered) -> None:
    container = rendered.container("Deployment/omnireel-mlflow")
    hosts = next(a for a in container["args"] if a.startswith("--allowed-hosts="))
    for name in ("omnireel-mlflow:5000", "omnireel-mlflow.ml.svc:5000", "localhost:5000"):
        assert name in hosts.removeprefix("--allowed-hosts=").split(",")
    assert "--app-name=basic-auth" in container["args"]
    assert "*" not in hosts
    names = {entry["name"] for entry in container["env"]}
    assert {"MLFLOW_AUTH_ADMIN_PASSWORD", "MLFLOW_FLASK_SERVER_SECRET_KEY"} <= names
    for entry in container["env"]:
        if "PASSWORD" in entry["name"] or "SECRET" in entry["name"] or "URI" in entry["name"]:
            assert "secretKeyRef" in entry["valueFrom"]

    several = render(given(mlflow={**GIVEN["mlflow"], "replicas": 2, "auth": False}))
    assert several.one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert "--app-name=basic-auth" not in json.dumps(several.objects)


def test_queues_are_wished_for(rendered: Rendered) -> None:
    queue = rendered.one("ClusterQueue")["spec"]
    assert queue["resourceGroups"][0]["coveredResources"] == ["cpu", "memory", "nvidia.com/gpu"]
    assert queue["preemption"]["withinClusterQueue"] == "LowerPriority"
    classes = rendered.of("WorkloadPriorityClass").values()
    assert sorted(c["value"] for c in classes) == [100, 1000, 10000]
    assert not [o for o in render(GIVEN).objects if "kueue" in o["apiVersion"]]


def test_a_second_release_leaves_the_cluster_its_priorities() -> None:
    second = render(given(queues={**QUEUES, "priorities": None}))
    assert second.of("ClusterQueue") and not second.of("WorkloadPriorityClass")


@pytest.mark.parametrize(
    ("storage", "port"),
    [
        ({"endpoint": "http://s3:9000"}, 9000),
        ({"endpoint": "https://s3.example.com"}, 443),
        ({"endpoint": "http://s3", "port": 9000}, 9000),
        ({"endpoint": ""}, 443),
    ],
)
def test_mlflow_reaches_its_store(storage: dict[str, Any], port: int) -> None:
    rendered = render(given(storage={**GIVEN["storage"], **storage}))
    found = rendered.one("NetworkPolicy", "here-omnireel-training-mlflow")
    ports = [port["port"] for rule in found["spec"]["egress"] for port in rule["ports"]]
    assert ports == [53, 53, 5432, port]


def test_a_private_authority_is_trusted_by_all_who_call_the_store() -> None:
    trust = {"configMap": "authorities", "key": "bundle.pem"}
    pods = render(given(trust=trust)).pods()
    callers = {"Deployment/omnireel-mlflow", "TrainingRuntime/omnireel"}
    callers |= {"Job/here-omnireel-training-buckets-1"}
    for name in callers:
        spec = pods[name]["spec"]
        (container,) = spec["containers"]
        (mount,) = [m for m in container["volumeMounts"] if m["name"] == "trust"]
        env = {entry["name"]: entry.get("value") for entry in container["env"]}
        for variable in ("SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
            assert env[variable] == f"{mount['mountPath']}/ca.crt", (name, variable)
        (volume,) = [v for v in spec["volumes"] if v["name"] == "trust"]
        assert volume["configMap"] == {
            "name": "authorities", "items": [{"key": "bundle.pem", "path": "ca.crt"}],
        }  # fmt: skip
    assert "trust" not in json.dumps(render(GIVEN).pods())


def test_rdma_and_nccl_are_values() -> None:
    network = {
        "hostNetwork": True, "hostIPC": True, "lockMemory": True, "interface": "eth0",
        "nccl": {"IB_HCA": "mlx5", "DEBUG": "INFO"}, "podAnnotations": {"networks": "rdma"},
    }  # fmt: skip
    runtime = {
        "network": network, "topology": {"required": "rack"}, "kind": "ClusterTrainingRuntime",
        "resources": {"limits": {"nvidia.com/gpu": 8, "rdma/hca": 8}},
    }  # fmt: skip
    found = render(given(runtime=runtime)).one("ClusterTrainingRuntime")
    (job,) = found["spec"]["template"]["spec"]["replicatedJobs"]
    pod = job["template"]["spec"]["template"]
    assert pod["metadata"]["annotations"] == {
        "networks": "rdma", "kueue.x-k8s.io/podset-required-topology": "rack",
    }  # fmt: skip
    assert pod["spec"]["hostNetwork"] and pod["spec"]["hostIPC"]
    (node,) = pod["spec"]["containers"]
    env = {entry["name"]: entry.get("value") for entry in node["env"]}
    assert env["NCCL_IB_HCA"] == "mlx5" and env["NCCL_SOCKET_IFNAME"] == "eth0"
    assert node["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["IPC_LOCK"]}
    assert "shared-memory" not in {v["name"] for v in pod["spec"]["volumes"]}


def test_parts_can_be_left_out() -> None:
    off = {"enabled": False}
    bare = render(
        {
            "runtime": off, "mlflow": off, "pipelines": off, "reaper": off,
            "storage": {"runs": {"existingClaim": "mine"}}, "networkPolicies": off,
        },
    )  # fmt: skip
    assert bare.objects == ()
    mine = render(given(storage={**GIVEN["storage"], "runs": {"existingClaim": "mine"}}))
    assert not mine.of("PersistentVolumeClaim")
    assert "mine" in json.dumps(mine.pods()["TrainingRuntime/omnireel"]["spec"]["volumes"])


def test_the_commands_of_the_chart_are_verbs(rendered: Rendered) -> None:
    for name, template in rendered.pods().items():
        (container,) = template["spec"]["containers"]
        words = [*container["command"], *container.get("args", ())]
        if words[0] == "omnireel":
            result = CliRunner().invoke(app, [*words[1:], "--help"])
            assert result.exit_code == 0, (name, result.output)
