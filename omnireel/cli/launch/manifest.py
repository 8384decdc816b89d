"""A TrainJob (``trainer.kubeflow.org/v1alpha1``) that runs a recipe."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from omnireel.errors import InvalidInput

GROUP, VERSION, PLURAL = "trainer.kubeflow.org", "v1alpha1", "trainjobs"
MANAGED_BY = "app.kubernetes.io/managed-by"
OWNER_POD = "omnireel.dev/owner-pod"
WORDS_HASH = "omnireel.dev/command-sha256"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
PRIORITY_LABEL = "kueue.x-k8s.io/priority-class"

_PROGRAM = ("torchrun", "-m", "omnireel.cli.main")
"""torchrun takes nodes, ranks and the first node's address from PET_*, which the Trainer sets."""


@dataclass(frozen=True)
class Owner:
    """The pod that submits a job; in its namespace the cluster deletes the job with the pod."""

    name: str
    uid: str
    namespace: str = ""
    """Empty: that of the job."""

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> Owner | None:
        """What a step of a workflow was told about its own pod; None outside of one."""
        name, uid = (environment.get(f"OMNIREEL_OWNER_{key}", "") for key in ("NAME", "UID"))
        return cls(name, uid, environment.get("OMNIREEL_NAMESPACE", "")) if name and uid else None


@dataclass(frozen=True)
class JobConfig:
    """Where and how wide a job runs. Empty and 0: as the runtime says."""

    runtime: str = "omnireel"
    """TrainingRuntime of charts/omnireel-training; it has image, volumes and network settings."""
    runtime_kind: str = "TrainingRuntime"
    namespace: str = ""
    """Empty: the one of this pod, or of the present kubectl context."""
    queue: str = ""
    """LocalQueue of Kueue, in which the job waits for its quota; empty: it starts at once."""
    priority: str = ""
    """WorkloadPriorityClass: who goes first, and who may be preempted."""
    nodes: int = 0
    processes: int = 0
    """Ranks on each node; 0: one for each GPU, or one where the recipe trains on CPUs."""
    image: str = ""
    cpu: str = ""
    memory: str = ""
    gpus: int = 0
    """Each node's request; ``gpus`` of ``gpu_resource``."""
    gpu_resource: str = "nvidia.com/gpu"

    def __post_init__(self) -> None:
        if self.runtime_kind not in ("TrainingRuntime", "ClusterTrainingRuntime"):
            raise InvalidInput(
                f"{self.runtime_kind!r} is not a runtime; use TrainingRuntime or "
                "ClusterTrainingRuntime",
                field="job.runtime_kind",
            )
        for name in ("nodes", "processes", "gpus"):
            if getattr(self, name) < 0:
                raise InvalidInput(f"{name} must not be negative", field=f"job.{name}")

    @classmethod
    def of_settings(cls, settings: Sequence[str]) -> JobConfig:
        """From ``--job field=value`` options; one may hold several with commas between.

        Raises:
            InvalidInput: no such field, or no number where one is needed.

        """
        present = cls()
        known = {f.name: getattr(present, f.name) for f in fields(cls)}
        changes: dict[str, Any] = {}
        for setting in (part for text in settings for part in text.split(",") if part):
            name, equals, text = setting.partition("=")
            if not equals or name not in known:
                raise InvalidInput(
                    f"unknown job setting {setting!r}; valid: {', '.join(known)}", field="job"
                )
            try:
                changes[name] = type(known[name])(text)
            except ValueError:
                raise InvalidInput(
                    f"{name} must be a whole number, not {text!r}", field=f"job.{name}"
                ) from None
        return replace(present, **changes)


def job_name(recipe: str, folder: str) -> str:
    """One name for one run folder, so that no two jobs ever train in the same."""
    digest = hashlib.sha256(folder.encode()).hexdigest()[:10]
    slug = re.sub(r"[^a-z0-9]+", "-", recipe.lower()).strip("-")
    return f"train-{slug[:40].rstrip('-')}-{digest}"


def train_job(
    name: str, words: Sequence[str], config: JobConfig, owner: Owner | None
) -> dict[str, Any]:
    """The manifest of a job that runs ``omnireel <words>`` on every rank."""
    labels = {MANAGED_BY: "omnireel"}
    if config.queue:
        labels[QUEUE_LABEL] = config.queue
    if config.priority:
        labels[PRIORITY_LABEL] = config.priority
    metadata: dict[str, Any] = {
        "name": name,
        "labels": labels,
        "annotations": {WORDS_HASH: words_hash(words)},
    }
    if config.namespace:
        metadata["namespace"] = config.namespace
    if owner is not None:
        if config.namespace in ("", owner.namespace) or not owner.namespace:
            metadata["annotations"][OWNER_POD] = owner.name
            reference = {"apiVersion": "v1", "kind": "Pod", "name": owner.name, "uid": owner.uid}
            metadata["ownerReferences"] = [reference]
        else:
            # A reference to another namespace counts as one to something that is gone: the cluster
            # would delete the job at once.
            metadata["annotations"][OWNER_POD] = f"{owner.namespace}/{owner.name}"
    runtime = {"apiGroup": GROUP, "kind": config.runtime_kind, "name": config.runtime}
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "TrainJob",
        "metadata": metadata,
        "spec": {"runtimeRef": runtime, "trainer": _trainer(words, config)},
    }


def _trainer(words: Sequence[str], config: JobConfig) -> dict[str, Any]:
    trainer: dict[str, Any] = {"command": [*_PROGRAM, *words]}
    if config.image:
        trainer["image"] = config.image
    if config.nodes:
        trainer["numNodes"] = config.nodes
    if config.processes:
        trainer["numProcPerNode"] = config.processes
    asked = {"cpu": config.cpu, "memory": config.memory}
    asked |= {config.gpu_resource: str(config.gpus)} if config.gpus else {}
    if resources := {key: value for key, value in asked.items() if value}:
        # What is no processor time must be limited to what is requested.
        limits = {key: value for key, value in resources.items() if key != "cpu"}
        trainer["resourcesPerNode"] = {"requests": resources}
        if limits:
            trainer["resourcesPerNode"]["limits"] = limits
    return trainer


def words_hash(words: Sequence[str]) -> str:
    """Tells two commands apart."""
    return hashlib.sha256(json.dumps(list(words)).encode()).hexdigest()


def this_pod() -> Owner | None:
    """The pod that this process runs in, as far as it was told."""
    return Owner.of_environment(os.environ)
