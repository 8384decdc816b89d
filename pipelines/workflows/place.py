"""Where a workflow's steps run: in a cluster, or on this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Protocol

from kfp import kubernetes

from omnireel.errors import InvalidInput
from pipelines.components.step import Verb, in_container, on_this_machine
from pipelines.workflows.pods import Pods


class Place(Protocol):
    """Makes the task of a verb inside a workflow."""

    @property
    def launcher(self) -> str:
        """How steps train (``omnireel train ... --launcher``)."""

    def __call__(self, verb: Verb, **inputs: Any) -> Any:
        """The task, a ``kfp.dsl.PipelineTask``."""


@dataclass(frozen=True)
class Cluster:
    """Steps are containers of one image; what they share lies on one volume.

    The names are those of charts/omnireel-training.
    """

    image: str
    """With a tag or a digest that stays: it is part of the key of every cached result."""
    volume: str = "omnireel-runs"
    """PersistentVolumeClaim (ReadWriteMany) of runs and prepared data."""
    mount: str = "/runs"
    mlflow_secret: str = "omnireel-mlflow-client"
    """Has username and password; may be missing where MLflow asks for none."""
    storage_secret: str = "omnireel-storage"
    """Has access-key and secret-key; may be missing."""
    gateway_secret: str = "omnireel-gateway-client"
    """Has api-key and tls (what ``$OMNIREEL_TLS`` says; a key is sent with TLS only); may be
    missing where the canary's gateway asks for no key."""
    pods: Pods = field(default_factory=Pods)
    launcher: str = "trainjob"

    def __post_init__(self) -> None:
        name = self.image.rpartition("/")[2]
        if not re.search(r"[:@]", name) or name.endswith(":latest"):
            raise InvalidInput(
                f"{self.image!r} is not pinned, and results are cached by its name; give a version "
                "or a digest, e.g. registry/omnireel:1.2.0",
                field="image",
            )

    def __call__(self, verb: Verb, **inputs: Any) -> Any:
        """A container step with its pod, volume, secrets and retries."""
        pod = self.pods.of(verb)
        task = in_container(verb, self.image)(**inputs, **_device(verb, pod.device(verb)))
        task.set_caching_options(verb.cached)
        if verb.retries:
            task.set_retry(verb.retries, backoff_duration="30s", backoff_factor=2.0)
        pod.apply(task, verb)
        kubernetes.mount_pvc(task, self.volume, self.mount)
        kubernetes.use_secret_as_env(
            task,
            self.mlflow_secret,
            {"username": "MLFLOW_TRACKING_USERNAME", "password": "MLFLOW_TRACKING_PASSWORD"},
            optional=True,
        )
        kubernetes.use_secret_as_env(
            task,
            self.storage_secret,
            {"access-key": "AWS_ACCESS_KEY_ID", "secret-key": "AWS_SECRET_ACCESS_KEY"},
            optional=True,
        )
        if verb.calls:
            kubernetes.use_secret_as_env(
                task,
                self.gateway_secret,
                {"api-key": "OMNIREEL_API_KEY", "tls": "OMNIREEL_TLS"},
                optional=True,
            )
        if verb.submits:
            # Jobs name this pod as their owner, so that they go when it goes.
            for name, path in OWNER.items():
                kubernetes.use_field_path_as_env(task, name, path)
        return task


OWNER = {
    "OMNIREEL_OWNER_NAME": "metadata.name",
    "OMNIREEL_OWNER_UID": "metadata.uid",
    "OMNIREEL_NAMESPACE": "metadata.namespace",
}
"""Environment variable -> field of the pod that the launcher reads."""


@dataclass(frozen=True)
class ThisMachine:
    """Steps are processes on this machine (kfp's local runner)."""

    device: str = "cpu"
    """Of the steps that run the model."""
    launcher: str = "local"

    def __call__(self, verb: Verb, **inputs: Any) -> Any:
        """A local step; nothing is tried again or taken from a cache."""
        task = on_this_machine(verb)(**inputs, **_device(verb, self.device))
        task.set_caching_options(False)
        # As in kfp's own images: the executor then loads in 40 ms instead of 1.7 s.
        task.set_env_variable("_KFP_RUNTIME", "true")
        return task


def _device(verb: Verb, device: str) -> dict[str, str]:
    """The input ``device`` of a verb that runs the model."""
    return {"device": device} if verb.generates else {}
