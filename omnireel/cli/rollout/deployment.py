"""A Deployment of a model service: its weights folder, and the version that it says it serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omnireel.cli.launch.cluster import connected, kubernetes_errors
from omnireel.cli.rollout.targets import (
    PREVIOUS_VERSION,
    PREVIOUS_WEIGHTS,
    VERSION,
    WaitConfig,
    rolled_out,
    wait_until,
)
from omnireel.errors import DeadlineExceeded, FailedPrecondition

MODEL_SERVICES = ("generator", "super-resolver", "prompt-enhancer")
_FORGOTTEN = {PREVIOUS_VERSION: None, PREVIOUS_WEIGHTS: None}


@dataclass(frozen=True)
class DeploymentTarget:
    """Changes one environment variable and waits until every pod is a new one."""

    apps: Any
    name: str
    namespace: str
    wait: WaitConfig = field(default_factory=WaitConfig)

    @classmethod
    def connect(cls, name: str, namespace: str) -> DeploymentTarget:
        """As :meth:`omnireel.cli.launch.cluster.Cluster.connect`."""
        from kubernetes import client

        api, here = connected()
        return cls(client.AppsV1Api(api), name, namespace or here)

    def put(self, version: str, weights: Path) -> bool:
        """Serve ``weights``, a path as the pods see it. Pods that do not come up are taken back.

        Raises:
            NotFound: no such Deployment.
            DeadlineExceeded: the new pods were not ready in time; the old model serves again.

        """
        found = self._read()
        notes = found.metadata.annotations or {}
        before = _weights_of(found)
        if before == str(weights) and notes.get(VERSION) == version:
            return False
        remembered = {PREVIOUS_VERSION: notes.get(VERSION, ""), PREVIOUS_WEIGHTS: before}
        self._patch(version, str(weights), remembered)
        try:
            self._wait()
        except DeadlineExceeded as late:
            self._patch(notes.get(VERSION, ""), before, _FORGOTTEN)
            raise DeadlineExceeded(f"{late.message}; {self.name} was set back") from late
        return True

    def undo(self) -> str:
        """Serve what was served before.

        Raises:
            FailedPrecondition: nothing is remembered.

        """
        notes = self._read().metadata.annotations or {}
        if PREVIOUS_WEIGHTS not in notes:
            raise FailedPrecondition(f"{self.name} does not remember what it served before")
        version = str(notes.get(PREVIOUS_VERSION, ""))
        self._patch(version, str(notes[PREVIOUS_WEIGHTS]), _FORGOTTEN)
        self._wait()
        return version or str(notes[PREVIOUS_WEIGHTS]) or "what the chart says"

    def _read(self) -> Any:
        with kubernetes_errors(f"Deployment {self.name} in namespace {self.namespace}"):
            return self.apps.read_namespaced_deployment(self.name, self.namespace)

    def _patch(self, version: str, weights: str, notes: Mapping[str, str | None]) -> None:
        found = self._read()
        container = found.spec.template.spec.containers[0].name
        variable = {"name": _variable_of(found), "value": weights}
        if not weights:
            variable = {"name": variable["name"], "$patch": "delete"}
        pod = {
            "metadata": {"annotations": {VERSION: version}},
            "spec": {"containers": [{"name": container, "env": [variable]}]},
        }
        body = {
            "metadata": {"annotations": {VERSION: version, **notes}},
            "spec": {"template": pod},
        }
        with kubernetes_errors(f"Deployment {self.name}"):
            self.apps.patch_namespaced_deployment(self.name, self.namespace, body)

    def _wait(self) -> None:
        wait_until(
            lambda: rolled_out(self._read()),
            self.wait,
            f"the new pods of {self.name} were not ready",
        )


def _variable_of(deployment: Any) -> str:
    """The setting that says where a service's weights are; it wins over that of the chart."""
    component = (deployment.metadata.labels or {}).get("app.kubernetes.io/component", "")
    if component not in MODEL_SERVICES:
        raise FailedPrecondition(
            f"{deployment.metadata.name} is none of {', '.join(MODEL_SERVICES)}, by its label "
            "app.kubernetes.io/component"
        )
    return f"OMNIREEL_{component.upper().replace('-', '_')}_WEIGHTS"


def _weights_of(deployment: Any) -> str:
    """What was put here; empty: what the chart says."""
    name = _variable_of(deployment)
    env = deployment.spec.template.spec.containers[0].env or ()
    return next((str(entry.value) for entry in env if entry.name == name), "")
