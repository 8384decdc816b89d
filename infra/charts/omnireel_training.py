"""What may stand in the values of the chart `omnireel-training`.

``python -m infra.charts.omnireel_training`` writes its schema and README anew.
"""

from __future__ import annotations

from pathlib import Path

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

CHART = Path(__file__).parents[2] / "charts" / "omnireel-training"

QUANTITY = "^([0-9]+(\\.[0-9]+)?(m|Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?)$"
SIZE: Schema = {"type": "string", "pattern": QUANTITY}
PORT: Schema = {"type": "integer", "minimum": 1, "maximum": 65535}
COUNT: Schema = {"type": "integer", "minimum": 1}
SETTINGS: Schema = {
    "type": "object",
    "propertyNames": {"pattern": "^[A-Z][A-Z0-9_]*$"},
    "additionalProperties": {"type": ["string", "integer"]},
}

RULES: dict[str, Schema] = {
    "image.pullPolicy": one_of("Always", "IfNotPresent", "Never"),
    "image.digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    "image.pullSecrets": NAMES,
    "runtime.name": {"type": "string", "minLength": 1},
    "runtime.kind": one_of("TrainingRuntime", "ClusterTrainingRuntime"),
    "runtime.nodes": COUNT,
    "runtime.sharedMemory": SIZE,
    "runtime.network.nccl": SETTINGS,
    "podAnnotations": TEXTS,
    "nodeSelector": TEXTS,
    "nodeLabels": TEXTS,
    "tolerations": OBJECTS,
    "affinity": FREE_OBJECT,
    "env": VARIABLES,
    "runtime.egress": OBJECTS,
    "resources": {
        "type": "object",
        "additionalProperties": False,
        "properties": {"requests": FREE_OBJECT, "limits": FREE_OBJECT, "claims": OBJECTS},
    },
    "storage.runs.accessMode": one_of("ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"),
    "storage.runs.size": SIZE,
    "storage.endpoint": {"type": "string", "pattern": "^(https?://[^/@\\s]+)?$"},
    "storage.buckets": {
        "type": "array",
        "items": {"type": "string", "pattern": "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"},
        "uniqueItems": True,
    },
    "queues.quota": {
        "type": "object",
        "additionalProperties": {"anyOf": [{"type": "integer", "minimum": 0}, SIZE]},
    },
    "queues.preemption.withinClusterQueue": one_of(
        "Never", "LowerPriority", "LowerOrNewerEqualPriority"
    ),
    "queues.preemption.reclaimWithinCohort": one_of("Never", "LowerPriority", "Any"),
    "queues.priorities": {"type": "object", "additionalProperties": {"type": "integer"}},
    "mlflow.replicas": COUNT,
    "mlflow.workers": COUNT,
    "mlflow.artifacts": {"type": "string", "pattern": "^((s3://|/)[^@\\s]+)?$"},
    "mlflow.allowedHosts": NAMES,
    "pipelines.deployments": NAMES,
    "storage.port": {**PORT, "minimum": 0},
    "databasePort": PORT,
    "callers": OBJECTS,
}


def main() -> None:
    """Write values.schema.json and README.md anew."""
    write(CHART, RULES)


if __name__ == "__main__":
    main()
