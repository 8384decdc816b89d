"""Whatever the chart renders is what Kubernetes and the custom resources' owners published."""

from __future__ import annotations

import copy

import pytest

from tests.support.charts import PRODUCTION, Object, render
from tests.support.kubernetes_schemas import mistakes

pytestmark = pytest.mark.timeout(1200)  # the first run fetches the schemas

HOSTS = {"host": "video.example.com", "grpcHost": "grpc.example.com"}
CERTIFICATES = {"mode": "certManager", "issuerRef": {"name": "ca"}}
VARIANTS: dict[str, Object] = {
    "least": {},
    "everything": {
        "images": {"pullSecrets": ["registry"]},
        "trust": {"configMap": "authorities"},
        "weights": {"source": "s3", "s3": {"url": "s3://bucket/models/7"}},
        "gateway": {
            "signingKey": {"existingSecret": "signing"},
            "settings": {"oidc_issuer": "https://id.example.com", "oidc_audience": "video"},
            "service": {"type": "LoadBalancer", "annotations": {"a": "b"}},
            "env": [{"name": "A", "value": "b"}],
        },
        "worker": {"c2pa": {"existingSecret": "c2pa"}, "podAnnotations": {"a": "b"}},
        "promptEnhancer": {"envFromSecret": "remote", "remotePort": 443},
        "generator": {
            "sharedMemory": "1Gi",
            "nodeSelector": {"a": "b"},
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
            "affinity": {"podAntiAffinity": {}},
            "priorityClassName": "serving",
            "runtimeClassName": "nvidia",
            "strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            "resources": {"limits": {"nvidia.com/gpu": 1}},
        },
        "tls": {"gateway": CERTIFICATES, "services": CERTIFICATES},
        "autoscaling": {"kind": "keda", "keda": {"authentication": "prometheus"}},
        "routes": {"gatewayApi": {"enabled": True, **HOSTS, "parentRefs": [{"name": "public"}]}},
        "monitoring": {"serviceMonitors": True, "alerts": True, "dashboards": True},
        "networkPolicies": {"otlpPort": 4317},
    },
    "other choices": {
        "weights": {"source": "image", "image": {"reference": "registry/weights:7"}},
        "autoscaling": {"kind": "hpa"},
        "routes": {"ingress": {"enabled": True, **HOSTS, "className": "a", "tlsSecret": "b"}},
        "tls": {"services": {"mode": "secret", "secret": "mutual"}},
    },
    "claim": {"weights": {"source": "pvc", "pvc": {"claimName": "weights"}}},
    "host path": {"weights": {"source": "hostPath", "hostPath": {"path": "/srv"}}},
    "dev": {},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_every_object_is_as_published(name: str) -> None:
    values = VARIANTS[name]
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
