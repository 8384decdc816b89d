"""Values that together switch on everything that the charts can render."""

from __future__ import annotations

from tests.support.charts import PRODUCTION_TRAINING, Object

HOSTS = {"host": "video.example.com", "grpcHost": "grpc.example.com"}
CERTIFICATES = {"mode": "certManager", "issuerRef": {"name": "ca"}}
SERVING: dict[str, Object] = {
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
"""Of charts/omnireel, laid over PRODUCTION; `dev` is laid over values-dev.yaml."""

TRAINING: dict[str, Object] = {
    "least": PRODUCTION_TRAINING,
    "everything": {
        "mlflow": {**PRODUCTION_TRAINING["mlflow"], "replicas": 2},
        "storage": PRODUCTION_TRAINING["storage"],
        "pipelines": {"deployments": ["canary"]},
        "queues": {
            "enabled": True, "quota": {"cpu": 64, "nvidia.com/gpu": 16}, "cohort": "all",
            "flavor": {
                "nodeLabels": {"gpu": "h100"}, "tolerations": [{"key": "a", "operator": "Exists"}],
                "topologyName": "racks",
            },
        },
        "runtime": {
            "kind": "ClusterTrainingRuntime",
            "network": {
                "hostNetwork": True, "lockMemory": True, "nccl": {"DEBUG": "INFO"},
                "interface": "eth0", "podAnnotations": {"a": "b"},
            },
            "topology": {"preferred": "rack"}, "affinity": {"podAffinity": {}},
            "env": [{"name": "A", "value": "b"}],
            "egress": [{"ports": [{"protocol": "TCP", "port": 443}]}],
        },
        "trust": {"configMap": "authorities"},
    },
}  # fmt: skip
"""Of charts/omnireel-training."""
