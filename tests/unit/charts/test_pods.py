"""What every pod is allowed, and when Kubernetes may call it well."""

from __future__ import annotations

from typing import Any

import pytest

from services.common.health import LIVENESS, READINESS, STARTUP
from services.common.pulse import Patience
from tests.support.charts import PRODUCTION, Object, Rendered, render

SERVICES = ("gateway", "worker", "prompt-enhancer", "generator", "super-resolver")
EVERYTHING: Object = {
    "gateway": {"signingKey": {"existingSecret": "signing"}},
    "worker": {"c2pa": {"existingSecret": "c2pa"}},
    "tls": {
        "gateway": {"mode": "secret", "secret": "public"},
        "services": {"mode": "secret", "secret": "mtls"},
    },
    "trust": {"configMap": "ca"},
    "weights": {"source": "s3", "s3": {"url": "s3://bucket/models/7"}},
}


@pytest.fixture(params=["least", "everything", "dev"])
def rendered(request: pytest.FixtureRequest) -> Rendered:
    if request.param == "dev":
        return render(dev=True)
    return render(PRODUCTION, EVERYTHING if request.param == "everything" else {})


def containers(pod: Object) -> list[Any]:
    return [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]


def test_every_pod_passes_pod_security_restricted(rendered: Rendered) -> None:
    allowed = {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}
    for name, pod in rendered.pods().items():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] > 0, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), name
        for volume in spec["volumes"]:
            assert set(volume) - {"name"} <= allowed, name
        for container in containers(pod):
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False, name
            assert security["readOnlyRootFilesystem"] is True, name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["requests"] and container["resources"]["limits"], name


def test_no_pod_may_speak_to_the_api_server(rendered: Rendered) -> None:
    accounts = rendered.of("ServiceAccount")
    for name, pod in rendered.pods().items():
        assert pod["spec"]["automountServiceAccountToken"] is False, name
        account = pod["spec"].get("serviceAccountName")
        if account is not None:
            assert accounts[account]["automountServiceAccountToken"] is False
    assert not any(rendered.of(kind) for kind in ("Role", "RoleBinding", "ClusterRoleBinding"))


def test_each_service_has_an_account_of_its_own() -> None:
    pods = render(PRODUCTION).pods()
    named = [pods[f"Deployment/r-omnireel-{s}"]["spec"]["serviceAccountName"] for s in SERVICES]
    assert len(set(named)) == len(SERVICES)


def test_mounts_have_volumes_and_volumes_are_mounted(rendered: Rendered) -> None:
    for name, pod in rendered.pods().items():
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
        claims = {"data"} if name.startswith("StatefulSet/") else set()
        mounted = {m["name"] for c in containers(pod) for m in c["volumeMounts"]}
        assert mounted == volumes | claims, name


def test_secrets_come_by_reference_only(rendered: Rendered) -> None:
    secret = rendered.of("Secret").get("r-omnireel-dev", {}).get("stringData", {})
    passwords = {value for key, value in secret.items() if key != "access-key"}
    for config in rendered.of("ConfigMap").values():
        assert not passwords & set(config["data"].values())
    for pod in rendered.pods().values():
        for container in containers(pod):
            for variable in container.get("env", ()):
                assert variable.get("value") not in passwords


def test_probes_ask_by_the_names_that_services_answer() -> None:
    for service in SERVICES:
        container = render(PRODUCTION, EVERYTHING).container(f"Deployment/r-omnireel-{service}")
        asked = {
            kind: container[f"{kind}Probe"]["grpc"] for kind in ("startup", "readiness", "liveness")
        }
        assert asked == {
            "startup": {"port": 8081, "service": STARTUP},
            "readiness": {"port": 8081, "service": READINESS},
            "liveness": {"port": 8081, "service": LIVENESS},
        }
        # A port of its own, since probes speak no TLS.
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert ports["health"] == 8081
        assert 8081 not in {ports.get("grpc"), ports.get("http")}


@pytest.mark.parametrize("seconds", [1, 901, 3600])
def test_loading_large_weights_is_not_taken_for_a_hang(seconds: int) -> None:
    values = {"generator": {"startupSeconds": seconds}}
    probe = render(PRODUCTION, values).container("Deployment/r-omnireel-generator")["startupProbe"]
    assert probe["failureThreshold"] * probe["periodSeconds"] >= seconds


@pytest.mark.parametrize("service", ["prompt-enhancer", "generator", "super-resolver"])
def test_a_model_service_whose_step_hangs_is_restarted_within_a_minute(service: str) -> None:
    probe = render(PRODUCTION).container(f"Deployment/r-omnireel-{service}")["livenessProbe"]
    noticed_s = probe["periodSeconds"] * probe["failureThreshold"]
    assert Patience().step_s + noticed_s + probe["terminationGracePeriodSeconds"] < 60


@pytest.mark.parametrize("service", ["gateway", "worker"])
def test_other_services_keep_their_grace_period_when_they_hang(service: str) -> None:
    probe = render(PRODUCTION).container(f"Deployment/r-omnireel-{service}")["livenessProbe"]
    assert "terminationGracePeriodSeconds" not in probe


@pytest.mark.parametrize("service", SERVICES)
def test_a_pod_outlives_its_drain(service: str) -> None:
    rendered = render(PRODUCTION)
    config = rendered.one("ConfigMap", f"r-omnireel-{service}")["data"]
    prefix = f"OMNIREEL_{service.replace('-', '_').upper()}"
    drain = float(config[f"{prefix}_GRACE_S"]) + float(config.get(f"{prefix}_HANDOVER_S", 0))
    pod = rendered.pods()[f"Deployment/r-omnireel-{service}"]["spec"]
    container = pod["containers"][0]
    before = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    assert pod["terminationGracePeriodSeconds"] >= drain + before + 10


def test_the_gateway_and_the_worker_run_without_the_image_of_the_models() -> None:
    rendered = render(PRODUCTION)
    images = {s: rendered.container(f"Deployment/r-omnireel-{s}")["image"] for s in SERVICES}
    assert images["gateway"] == images["worker"] == "omnireel/services:0.1.0"
    assert images["generator"] == "omnireel/models:0.1.0"


def test_an_image_can_be_pinned_by_digest() -> None:
    digest = "sha256:" + "0" * 64
    values = {"images": {"models": {"digest": digest}, "pullSecrets": ["registry"]}}
    rendered = render(PRODUCTION, values)
    assert rendered.container("Deployment/r-omnireel-generator")["image"].endswith(f"@{digest}")
    for pod in rendered.pods().values():
        assert pod["spec"]["imagePullSecrets"] == [{"name": "registry"}]


def test_a_changed_setting_rolls_its_pods_and_no_others() -> None:
    changed = {"generator": {"settings": {"threads": 4}}}
    before, after = render(PRODUCTION).pods(), render(PRODUCTION, changed).pods()
    rolled = {name for name in before if before[name] != after[name]}
    assert rolled == {"Deployment/r-omnireel-generator"}


def test_placement_and_devices_go_to_the_pod() -> None:
    values = {
        "generator": {
            "nodeSelector": {"accelerator": "h100"},
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
            "runtimeClassName": "nvidia",
            "priorityClassName": "serving",
            "resources": {"limits": {"nvidia.com/gpu": 1}},
            "sharedMemory": "2Gi",
            "strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
        }
    }
    rendered = render(PRODUCTION, values)
    spec = rendered.pods()["Deployment/r-omnireel-generator"]["spec"]
    assert spec["nodeSelector"] == {"accelerator": "h100"}
    assert spec["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert (spec["runtimeClassName"], spec["priorityClassName"]) == ("nvidia", "serving")
    assert spec["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert {"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}} in spec[
        "volumes"
    ]
    strategy = rendered.one("Deployment", "r-omnireel-generator")["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}


def test_replicas_are_spread_and_disrupted_one_by_one() -> None:
    rendered = render(PRODUCTION)
    for service in SERVICES:
        labels = rendered.pods()[f"Deployment/r-omnireel-{service}"]["metadata"]["labels"]
        spread = rendered.pods()[f"Deployment/r-omnireel-{service}"]["spec"][
            "topologySpreadConstraints"
        ]
        budget = rendered.one("PodDisruptionBudget", f"r-omnireel-{service}")["spec"]
        assert budget["maxUnavailable"] == 1
        for selector in (budget["selector"], *(s["labelSelector"] for s in spread)):
            assert selector["matchLabels"].items() <= labels.items()
        assert len(spread) == 2
