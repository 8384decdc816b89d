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
_TIMEOUT_S = 30.0
_FORGOTTEN = {PREVIOUS_VERSION: None, PREVIOUS_WEIGHTS: None}


@dataclass(frozen=True)
class DeploymentTarget:
    """Changes one environment variable and waits until every pod is a new one."""

    apps: Any
    name: str
    namespace: str
    wait: WaitConfig = field(default_factory=WaitConfig)

    @classmethod
    def connect(cls, name: str, namespace: str, wait: WaitConfig | None = None) -> DeploymentTarget:
        """As :meth:`omnireel.cli.launch.cluster.Cluster.connect`."""
        from kubernetes import client

        api, here = connected()
        return cls(client.AppsV1Api(api), name, namespace or here, wait or WaitConfig())

    def put(self, version: str, weights: Path) -> bool:
        """Serve ``weights``, a path as the pods see it. Pods that do not come up are taken back.

        When they were put already, perhaps by a command that was killed while it waited, the rest
        is the same: new pods are waited for, or taken back.

        Raises:
            NotFound: no such Deployment.
            DeadlineExceeded: the new pods were not ready in time; the old model serves again.
            Unavailable: the API has not answered for as long.

        """
        found = self._read()
        notes = found.metadata.annotations or {}
        before = _weights_of(found)
        there = before == str(weights) and notes.get(VERSION) == version
        if not there:
            notes = {PREVIOUS_VERSION: notes.get(VERSION, ""), PREVIOUS_WEIGHTS: before}
            self._patch(version, str(weights), notes)
        try:
            self._wait()
        except DeadlineExceeded as late:
            if PREVIOUS_WEIGHTS not in notes:
                raise
            self._patch(notes.get(PREVIOUS_VERSION, ""), notes[PREVIOUS_WEIGHTS], _FORGOTTEN)
            raise DeadlineExceeded(f"{late.message}; {self.name} was set back") from late
        return not there

    def undo(self, only: Path | None = None) -> str:
        """Serve what was served before.

        Raises:
            FailedPrecondition: nothing is remembered.

        """
        found = self._read()
        notes = found.metadata.annotations or {}
        if only is not None and _weights_of(found) != str(only):
            return ""
        if PREVIOUS_WEIGHTS not in notes:
            raise FailedPrecondition(f"{self.name} does not remember what it served before")
        version = str(notes.get(PREVIOUS_VERSION, ""))
        self._patch(version, str(notes[PREVIOUS_WEIGHTS]), _FORGOTTEN)
        self._wait()
        return version or str(notes[PREVIOUS_WEIGHTS]) or "what the chart says"

    def _read(self) -> Any:
        with kubernetes_errors(f"Deployment {self.name} in namespace {self.namespace}"):
            return self.apps.read_namespaced_deployment(
                self.name, self.namespace, _request_timeout=_TIMEOUT_S
            )

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
            self.apps.patch_namespaced_deployment(
                self.name, self.namespace, body, _request_timeout=_TIMEOUT_S
            )

    def _wait(self) -> None:
        replicas = max(1, self._read().spec.replicas or 0)
        wait_until(
            lambda: rolled_out(self._read()),
            self.wait.replica_s * replicas,
            self.wait.poll_s,
            f"the new pods of {self.name} were not ready",
        )


def _variable_of(deployment: Any) -> str:
    """The setting that says where a service's weights are; it wins over that of the chart."""
    component = (deployment.metadata.labels or {}).get("app.kubernetes.io/component", "")
    if component not in MODEL_SERVICES:
        raise FailedPrecondition(
            f"{deployment.metadata.name} is not one of {', '.join(MODEL_SERVICES)}, by its label "
            "app.kubernetes.io/component"
        )
    return f"OMNIREEL_{component.upper().replace('-', '_')}_WEIGHTS"


def _weights_of(deployment: Any) -> str:
    """What was put here; empty: what the chart says."""
    name = _variable_of(deployment)
    env = deployment.spec.template.spec.containers[0].env or ()
    return next((str(entry.value) for entry in env if entry.name == name), "")
