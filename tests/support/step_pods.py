"""A small runner of these tests: compiled steps as pods. It is not Kubeflow Pipelines.

A step's container spec, its resources, user, volume, secrets and field references are those of the
compiled YAML. The runner fills in inputs, as Kubeflow's driver does, and keeps the outputs on
the steps' volume, which its launcher uploads. Which step follows which is up to the test.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.compiling import compiled, documents
from tests.support.charts import Object
from tests.support.kube import Kube

OUTPUTS = "/tmp/kfp"
PLACEHOLDER = re.compile(r"\{\{\$\.(inputs|outputs)\.(parameters|artifacts)\['(\w+)'\]\.?(\w*)\}\}")
POD_SECURITY = {"fsGroup": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
"""The profile is Kubeflow's own default. The group, of a volume that is new, is not in its SDK."""


@dataclass
class Step:
    """A pod that plays one step."""

    name: str
    volume: Callable[[], Path]

    def output(self, name: str) -> str:
        """What it has left."""
        return (self.volume() / "steps" / self.name / name).read_text()


@dataclass
class StepPods:
    """Plays steps of one compiled workflow in the namespace of ``kube``."""

    kube: Kube
    pipeline: Any
    account: str
    volume: Callable[[], Path]
    """The folder of this machine behind the steps' claim, once that is bound."""
    _started: int = field(default=0)

    def start(self, step: str, **inputs: object) -> Step:
        """Make the pod of a step."""
        whole = documents(compiled(self.pipeline))
        label = f"exec-{step}"
        container = whole["pipeline_spec"]["deploymentSpec"]["executors"][label]["container"]
        platform = whole["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        self._started += 1
        name = f"step-{step}-{self._started}"
        pod = _pod(name, container, platform[label], inputs, self.account)
        self.kube.kubectl("apply", "-f", "-", text=json.dumps(pod))
        return Step(name, self.volume)

    def finish(self, step: Step, patience_s: float = 900) -> str:
        """Wait until it has succeeded; its log.

        Raises:
            AssertionError: it has failed, or goes on for too long.
        """
        deadline = time.monotonic() + patience_s
        while (phase := self.phase(step)) not in ("Succeeded", "Failed"):
            assert time.monotonic() < deadline, f"{step.name} is {phase} after {patience_s:.0f} s"
            time.sleep(1)
        log = self.kube.kubectl("logs", step.name)
        assert phase == "Succeeded", log
        return log

    def play(self, step: str, **inputs: object) -> Step:
        """Both."""
        started = self.start(step, **inputs)
        self.finish(started)
        return started

    def phase(self, step: Step) -> str:
        found: str = self.kube.get("pod", step.name)["status"]["phase"]
        return found


def _pod(name: str, container: Object, platform: Object, inputs: Object, account: str) -> Object:
    def fill(text: str) -> str:
        return PLACEHOLDER.sub(lambda found: _value(found, inputs), text)

    given = container["resources"]
    requests = {"cpu": given["resourceCpuRequest"], "memory": given["resourceMemoryRequest"]}
    claims = {mount["constant"]: mount["mountPath"] for mount in platform["pvcMount"]}
    (claim,) = claims
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "step"}},
        "spec": {
            "restartPolicy": "Never", "serviceAccountName": account,
            "activeDeadlineSeconds": int(platform["activeDeadlineSeconds"]),
            "securityContext": POD_SECURITY,
            "volumes": [{"name": "shared", "persistentVolumeClaim": {"claimName": claim}}],
            "containers": [{
                "name": "main", "image": container["image"], "imagePullPolicy": "Never",
                "command": container["command"], "args": list(map(fill, container["args"])),
                "env": [{"name": "HOME", "value": "/tmp"}, *_environment(platform)],
                "resources": {
                    "requests": requests, "limits": {"memory": given["resourceMemoryLimit"]},
                },
                "securityContext": _user(platform) | {  # the rest is Kubeflow's own default
                    "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [
                    {"name": "shared", "mountPath": claims[claim]},
                    {"name": "shared", "mountPath": OUTPUTS, "subPath": f"steps/{name}"},
                ],
            }],
        },
    }  # fmt: skip


def _value(found: re.Match[str], inputs: Object) -> str:
    """What a placeholder stands for, as Kubeflow's driver has it."""
    way, kind, name, attribute = found.groups()
    if way == "outputs":
        return f"{OUTPUTS}/{name}"
    value = inputs[name]
    if kind == "artifacts":
        assert attribute == "path"
        return str(value)
    return value if isinstance(value, str) else json.dumps(value)


def _user(platform: Object) -> Object:
    """Who the step runs as; numbers of 64 bits are text in JSON of protocol buffers."""
    given = platform["securityContext"]
    return {
        "runAsUser": int(given["runAsUser"]), "runAsGroup": int(given["runAsGroup"]),
        "runAsNonRoot": given["runAsNonRoot"],
    }  # fmt: skip


def _environment(platform: Object) -> list[Object]:
    found = [
        {"name": each["name"], "valueFrom": {"fieldRef": {"fieldPath": each["fieldPath"]}}}
        for each in platform.get("fieldPathAsEnv", ())
    ]
    for secret in platform.get("secretAsEnv", ()):
        for key in secret["keyToEnv"]:
            reference = {
                "name": secret["secretName"], "key": key["secretKey"],
                "optional": secret["optional"],
            }  # fmt: skip
            found.append({"name": key["envVar"], "valueFrom": {"secretKeyRef": reference}})
    return found
