"""Volumes of the node: a default StorageClass, and folders that wait to be claimed."""

from __future__ import annotations

import json

from infra.cluster.config import ClusterConfig

CLASS = "local"


def volumes(config: ClusterConfig) -> str:
    """The objects, as JSON; their folders are made."""
    items = [
        {
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
            "metadata": {
                "name": CLASS,
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "kubernetes.io/no-provisioner",
            "volumeBindingMode": "WaitForFirstConsumer",
        },
        *(_volume(config, number) for number in range(config.volumes)),
    ]  # fmt: skip
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def _volume(config: ClusterConfig, number: int) -> dict[str, object]:
    folder = config.home / "volumes" / str(number)
    folder.mkdir(parents=True)
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [config.node]}
    return {
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": f"local-{number}"},
        "spec": {
            "storageClassName": CLASS, "capacity": {"storage": "1Ti"},
            "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }  # fmt: skip
