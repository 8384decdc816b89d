"""The other objects: schema, weights, scaling, routes, certificates, monitoring."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.support.charts import CHARTS, OMNIREEL, PRODUCTION, Object, helm, merged, render

ROOT = CHARTS.parent
HOSTS = {"host": "video.example.com", "grpcHost": "grpc.example.com"}


def test_the_schema_is_made_by_a_job_of_this_revision_and_waited_for() -> None:
    rendered = render(PRODUCTION)
    job = rendered.one("Job", "r-omnireel-migrations-1")
    assert "annotations" not in job["metadata"]  # no hook
    for service in ("gateway", "worker"):
        (wait,) = rendered.pods()[f"Deployment/r-omnireel-{service}"]["spec"]["initContainers"]
        assert wait["args"][0] == "services.common.jobs.wait_for_schema"
    assert "initContainers" not in rendered.pods()["Deployment/r-omnireel-generator"]["spec"]


def test_a_preflight_comes_before_everything_where_everything_is_given() -> None:
    job = render(PRODUCTION).one("Job", "r-omnireel-preflight")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert job["spec"]["backoffLimit"] == 0
    assert "r-omnireel-preflight" not in render(dev=True).of("Job")
    off = render(PRODUCTION, {"preflight": {"enabled": False}})
    assert "r-omnireel-preflight" not in off.of("Job")


@pytest.mark.parametrize(
    ("values", "volume"),
    [
        (
            {"source": "image", "image": {"reference": "registry/weights:7"}},
            {"image": {"reference": "registry/weights:7", "pullPolicy": "IfNotPresent"}},
        ),
        (
            {"source": "pvc", "pvc": {"claimName": "weights"}},
            {"persistentVolumeClaim": {"claimName": "weights", "readOnly": True}},
        ),
        (
            {"source": "s3", "s3": {"url": "s3://bucket/models/7", "sizeLimit": "9Gi"}},
            {"emptyDir": {"sizeLimit": "9Gi"}},
        ),
        (
            {"source": "hostPath", "hostPath": {"path": "/srv/weights"}},
            {"hostPath": {"path": "/srv/weights", "type": "Directory"}},
        ),
    ],
    ids=["image", "pvc", "s3", "hostPath"],
)
def test_weights_come_from_where_the_values_say(values: Object, volume: Object) -> None:
    rendered = render(PRODUCTION, {"weights": {**values, "path": "base"}})
    for service in ("prompt-enhancer", "generator", "super-resolver"):
        spec = rendered.pods()[f"Deployment/r-omnireel-{service}"]["spec"]
        assert {"name": "weights", **volume} in spec["volumes"]
        mount = {"name": "weights", "mountPath": "/weights", "readOnly": True}
        assert mount in spec["containers"][0]["volumeMounts"]
        config = rendered.one("ConfigMap", f"r-omnireel-{service}")["data"]
        name = f"OMNIREEL_{service.replace('-', '_').upper()}_WEIGHTS"
        assert config[name] == "/weights/base"
        fetching = [c["args"] for c in spec.get("initContainers", ())]
        wanted = [["services.common.fetch_weights", "s3://bucket/models/7", "/weights"]]
        assert fetching == (wanted if values["source"] == "s3" else [])


def test_shipped_weights_need_no_volume() -> None:
    rendered = render(PRODUCTION)
    data = rendered.one("ConfigMap", "r-omnireel-generator")["data"]
    assert "OMNIREEL_GENERATOR_WEIGHTS" not in data


@pytest.mark.parametrize("kind", ["hpa", "keda"])
def test_what_is_scaled_has_no_fixed_replicas(kind: str) -> None:
    scaling = {"kind": kind, "components": ["worker", "superResolver"], "maxReplicas": 9}
    rendered = render(PRODUCTION, {"autoscaling": scaling})
    deployments = rendered.of("Deployment")
    fixed = {name for name, o in deployments.items() if "replicas" in o["spec"]}
    assert deployments.keys() - fixed == {"r-omnireel-worker", "r-omnireel-super-resolver"}
    scalers = rendered.of({"hpa": "HorizontalPodAutoscaler", "keda": "ScaledObject"}[kind])
    assert scalers.keys() == deployments.keys() - fixed
    for name, scaler in scalers.items():
        assert scaler["spec"]["scaleTargetRef"]["name"] == name
        text = json.dumps(scaler)
        assert "9" in text
        if kind == "keda":  # jobs that run count, or their workers would go
            assert "omnireel_queue_depth" in text
            assert "omnireel_jobs_running" in text


def test_an_ingress_has_a_name_for_http_and_one_for_grpc() -> None:
    given = {
        "enabled": True,
        **HOSTS,
        "className": "nginx",
        "tlsSecret": "public",
        "grpcAnnotations": {"nginx.ingress.kubernetes.io/backend-protocol": "GRPC"},
    }
    made = render(PRODUCTION, {"routes": {"ingress": given}}).of("Ingress")
    for kind, host in (("http", "video.example.com"), ("grpc", "grpc.example.com")):
        ingress = made[f"r-omnireel-gateway-{kind}"]
        (rule,) = ingress["spec"]["rules"]
        assert rule["host"] == host
        assert rule["http"]["paths"][0]["backend"]["service"]["port"] == {"name": kind}
        assert ingress["spec"]["tls"] == [{"hosts": [host], "secretName": "public"}]
        assert ("annotations" in ingress["metadata"]) == (kind == "grpc")


def test_gateway_api_routes() -> None:
    given = {"enabled": True, **HOSTS, "parentRefs": [{"name": "public", "namespace": "infra"}]}
    rendered = render(PRODUCTION, {"routes": {"gatewayApi": given}})
    grpc = rendered.one("GRPCRoute", "r-omnireel-gateway")["spec"]
    http = rendered.one("HTTPRoute", "r-omnireel-gateway")["spec"]
    assert (grpc["hostnames"], http["hostnames"]) == (["grpc.example.com"], ["video.example.com"])
    ports = {p["port"] for p in rendered.one("Service", "r-omnireel-gateway")["spec"]["ports"]}
    assert {
        grpc["rules"][0]["backendRefs"][0]["port"],
        http["rules"][0]["backendRefs"][0]["port"],
    } == ports


def test_certificates_are_for_the_names_that_callers_use() -> None:
    mode = {"mode": "certManager", "issuerRef": {"name": "ca"}}
    tls = {"gateway": {**mode, "dnsNames": ["video.example.com"]}, "services": mode}
    rendered = render(PRODUCTION, {"tls": tls})
    services = rendered.one("Certificate", "r-omnireel-services")["spec"]
    called = rendered.one("ConfigMap", "r-omnireel-worker")["data"]["OMNIREEL_WORKER_GENERATOR"]
    assert called.removesuffix(":7070") in services["dnsNames"]
    assert {"server auth", "client auth"} <= set(services["usages"])
    gateway = rendered.one("Certificate", "r-omnireel-gateway")["spec"]
    assert gateway["dnsNames"] == ["r-omnireel-gateway.ns.svc", "video.example.com"]
    pod = rendered.pods()["Deployment/r-omnireel-gateway"]["spec"]
    secrets = {v["secret"]["secretName"] for v in pod["volumes"] if "secret" in v}
    assert {services["secretName"], gateway["secretName"]} <= secrets


def test_models_are_found_by_every_replica_of_theirs() -> None:
    rendered = render(PRODUCTION)
    for service in ("prompt-enhancer", "generator", "super-resolver"):
        spec = rendered.one("Service", f"r-omnireel-{service}")["spec"]
        assert spec["clusterIP"] == "None"
        labels = rendered.pods()[f"Deployment/r-omnireel-{service}"]["metadata"]["labels"]
        assert spec["selector"].items() <= labels.items()


def test_monitoring_is_that_of_the_repository() -> None:
    on = {"serviceMonitors": True, "alerts": True, "dashboards": True, "labels": {"release": "p"}}
    rendered = render(PRODUCTION, {"monitoring": on})
    infra = ROOT / "infra" / "observability"
    rule = rendered.one("PrometheusRule", "r-omnireel")
    assert rule["spec"] == yaml.safe_load((infra / "alerts.yaml").read_text())
    assert rule["metadata"]["labels"]["release"] == "p"
    for path in (infra / "dashboards").glob("*.json"):
        config = rendered.one("ConfigMap", f"r-omnireel-dashboard-{path.stem}")
        assert json.loads(config["data"][path.name]) == json.loads(path.read_text())
    monitors = rendered.of("ServiceMonitor")
    assert len(monitors) == 5
    for monitor in monitors.values():
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        found = [
            s for s in rendered.of("Service").values() if wanted <= s["metadata"]["labels"].items()
        ]
        assert len(found) == 1
        assert "metrics" in [p["name"] for p in found[0]["spec"]["ports"]]


@pytest.mark.parametrize("release", ["omnireel-production-for-the-team-of-videos", "42", "true"])
def test_any_name_that_helm_takes_gives_names_and_labels(release: str) -> None:
    values = merged(PRODUCTION, {"monitoring": {"serviceMonitors": True, "alerts": True}})
    text = helm("template", release, str(OMNIREEL), values=values)
    objects = [o for o in yaml.safe_load_all(text) if o]
    names = [o["metadata"]["name"] for o in objects if o["kind"] == "Service"]
    assert len(set(names)) == len(names) and max(map(len, names)) <= 63
    for o in objects:
        assert o["metadata"]["labels"]["app.kubernetes.io/instance"] == release
        selector = o.get("spec", {}).get("selector") or {}
        selector = selector.get("matchLabels", selector)
        assert all(isinstance(value, str) for value in selector.values())


def test_monitoring_is_off_by_default() -> None:
    rendered = render(PRODUCTION)
    assert not rendered.of("ServiceMonitor") and not rendered.of("PrometheusRule")
    assert set(rendered.of("Service")) == {
        f"r-omnireel-{s}" for s in ("gateway", "prompt-enhancer", "generator", "super-resolver")
    }


def test_small_servers_for_trying_out() -> None:
    rendered = render(dev=True)
    assert set(rendered.of("StatefulSet")) == {
        f"r-omnireel-dev-{s}" for s in ("postgresql", "redis", "s3")
    }
    assert not render(PRODUCTION).of("StatefulSet")
    kept = rendered.one("StatefulSet", "r-omnireel-dev-s3")["spec"]
    assert "volumeClaimTemplates" in kept
    gone = render({"dev": {"storageClass": "none"}}, dev=True)
    assert "volumeClaimTemplates" not in gone.one("StatefulSet", "r-omnireel-dev-s3")["spec"]


def test_the_longest_release_name_makes_names_that_kubernetes_takes() -> None:
    release = "a-release-with-the-longest-name-that-helm-takes-fifty"
    assert len(release) == 53
    for rendered in (render(dev=True, release=release), render(PRODUCTION, release=release)):
        assert all(len(thing["metadata"]["name"]) <= 63 for thing in rendered.objects)
    rendered = render(dev=True, release=release)
    sets, services = rendered.of("StatefulSet"), rendered.of("Service")
    assert len(sets) == 3
    settings = str(rendered.objects)
    for name, stateful_set in sets.items():
        assert len(name) <= 52  # a hash of eleven characters follows it in a label
        assert stateful_set["spec"]["serviceName"] in services
        assert f"{name}.ns.svc" in settings
