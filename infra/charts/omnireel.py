"""What may stand in the values of the chart `omnireel`: ``python -m infra.charts.omnireel``.

The settings of the services are taken from the classes that read them, so that a wrong name or
value is found by Helm and not by a pod.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings

from infra.charts.describe import (
    FREE_OBJECT,
    NAMES,
    OBJECTS,
    TEXTS,
    VARIABLES,
    Schema,
    one_of,
    write,
)
from services.common.storage.policy import StorageSettings
from services.gateway.http.settings import HttpSettings
from services.gateway.settings import GatewaySettings
from services.gateway.webhooks.settings import WebhookSettings
from services.generator.settings import GeneratorSettings
from services.prompt_enhancer.settings import PromptEnhancerSettings
from services.super_resolver.settings import SuperResolverSettings
from services.worker.settings import WorkerSettings

CHART = Path(__file__).parents[2] / "charts" / "omnireel"
# fmt: off
OF_THE_CHART = frozenset({
    "listen", "allow_remote", "tls", "tls_cert", "tls_key", "tls_client_ca", "health_listen",
    "health_address_file", "address_file", "metrics_listen", "grace_s", "handover_s", "models_ca",
    "models_cert", "models_key", "database_url", "store_url", "broker_url", "auth", "key_file",
    "first_key", "signing_key_file", "prompt_enhancer", "generator", "super_resolver", "weights",
    "slots", "safety", "c2pa_chain", "c2pa_key",
})
# fmt: on
"""Fields that the chart sets itself, from other values."""

IMAGE: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {key: {"type": "string"} for key in ("repository", "tag", "digest")},
}
PORT: Schema = {"type": "integer", "minimum": 1, "maximum": 65535}
PORT_OR_NONE: Schema = {**PORT, "minimum": 0}
SIZE: Schema = {"type": "string", "pattern": "^([0-9]+(\\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?)?$"}
S3: Schema = {"type": "string", "pattern": "^(s3://[^@\\s]+)?$"}


def settings_schema(kind: type[BaseSettings], *, keep: frozenset[str] = frozenset()) -> Schema:
    """The fields of a settings class that a user of the chart may set, and those in ``keep``."""
    whole = kind.model_json_schema()
    properties: dict[str, Any] = {}
    for name, field in whole["properties"].items():
        if name in OF_THE_CHART - keep:
            continue
        properties[name] = {
            key: value for key, value in field.items() if key not in ("default", "title", "format")
        }
    return {"type": "object", "additionalProperties": False, "properties": properties}


RULES: dict[str, Schema] = {
    "images.services": IMAGE,
    "images.models": IMAGE,
    "worker.image": IMAGE,
    "pullPolicy": one_of("Always", "IfNotPresent", "Never"),
    "images.pullSecrets": NAMES,
    "store.url": S3,
    "weights.s3.url": S3,
    "weights.source": one_of("shipped", "image", "pvc", "s3", "hostPath"),
    "weights.s3.sizeLimit": SIZE,
    "storage": settings_schema(StorageSettings),
    "gateway.settings": settings_schema(GatewaySettings),
    "gateway.http": settings_schema(HttpSettings, keep=frozenset({"grace_s"})),
    "gateway.webhooks": settings_schema(WebhookSettings),
    "worker.settings": settings_schema(WorkerSettings),
    "promptEnhancer.settings": settings_schema(PromptEnhancerSettings),
    "generator.settings": settings_schema(GeneratorSettings),
    "superResolver.settings": settings_schema(SuperResolverSettings),
    "startupSeconds": {"type": "integer", "minimum": 1},
    "worker.slots": {"type": "integer", "minimum": 1, "maximum": 256},
    "gateway.service.type": one_of("ClusterIP", "NodePort", "LoadBalancer"),
    "annotations": TEXTS,
    "podAnnotations": TEXTS,
    "serviceAccountAnnotations": TEXTS,
    "grpcAnnotations": TEXTS,
    "labels": TEXTS,
    "nodeSelector": TEXTS,
    "tolerations": OBJECTS,
    "affinity": FREE_OBJECT,
    "strategy": FREE_OBJECT,
    "resources": {
        "type": "object",
        "additionalProperties": False,
        "properties": {"requests": FREE_OBJECT, "limits": FREE_OBJECT, "claims": OBJECTS},
    },
    "env": VARIABLES,
    "command": NAMES,
    "sharedMemory": SIZE,
    "peers": OBJECTS,
    "callers": OBJECTS,
    "safetyPeers": OBJECTS,
    "remotePeers": OBJECTS,
    "networkPolicies.monitoring": OBJECTS,
    "parentRefs": OBJECTS,
    "tls.gateway.mode": one_of("proxy", "secret", "certManager"),
    "tls.services.mode": one_of("off", "secret", "certManager"),
    "tls.gateway.dnsNames": NAMES,
    "autoscaling.kind": one_of("none", "hpa", "keda"),
    "autoscaling.components": {
        "type": "array",
        "items": one_of("worker", "promptEnhancer", "generator", "superResolver"),
        "uniqueItems": True,
    },
    "autoscaling.maxReplicas": {"type": "integer", "minimum": 1},
    "autoscaling.jobsPerReplica": {"type": "integer", "minimum": 1},
    "monitoring.interval": {"type": "string", "pattern": "^[0-9]+(ms|s|m)$"},
    "port": PORT,
    "store.port": PORT_OR_NONE,
    "safetyPort": PORT_OR_NONE,
    "remotePort": PORT_OR_NONE,
    "otlpPort": PORT_OR_NONE,
    "grpcPort": PORT,
    "httpPort": PORT,
    "dev.size": SIZE,
}


def main() -> None:
    """Write values.schema.json and README.md anew."""
    write(CHART, RULES)


if __name__ == "__main__":
    main()
