"""What the pods of steps ask for and where they may run (``--pod`` of the command line)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from kfp import kubernetes

from omnireel.errors import InvalidInput
from pipelines.components.step import Verb
from pipelines.components.verbs import VERBS

TRUST_MOUNT = "/run/trust"
"""As in charts/omnireel-training."""
TRUST_VARIABLES = ("SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
"""Of Python's own TLS and MinIO, of botocore, of requests."""

_CPU = re.compile(r"\d+(\.\d+)?m?")
_MEMORY = re.compile(r"\d+(\.\d+)?([EPTGMK]i?)?")
_TOLERATION = re.compile(
    r"(?P<key>[\w./-]+)(=(?P<value>[\w.-]*))?"
    r"(:(?P<effect>NoSchedule|NoExecute|PreferNoSchedule))?"
)


@dataclass(frozen=True)
class PodConfig:
    """A step's pod. Lists may be given several times, an item each."""

    cpu: str = "2"
    memory: str = "8Gi"
    """Request and limit."""
    gpus: int = 0
    """1: a step that runs the model has a GPU, and is told ``--device cuda``; others have none."""
    gpu_resource: str = "nvidia.com/gpu"
    max_hours: float = 72.0
    """A step that takes longer is stopped."""
    node_selector: tuple[str, ...] = ()
    """Labels of the nodes to run on, as ``pool=gpu``."""
    tolerations: tuple[str, ...] = ()
    """Taints to tolerate, as ``nvidia.com/gpu:NoSchedule`` or ``pool=gpu:NoSchedule``."""
    pull_secrets: tuple[str, ...] = ()
    """Names of the Secrets to pull the image with."""
    trust: str = ""
    """ConfigMap with a PEM bundle of all authorities to trust, which takes the place of the public
    ones (the chart's ``trust.configMap``); empty: the public ones."""
    trust_key: str = "ca.crt"
    """Its key."""
    user: int = 10001
    """User and group that steps run as: those of the image, and of training pods."""

    def __post_init__(self) -> None:
        for name, form, example in (("cpu", _CPU, "500m"), ("memory", _MEMORY, "64Gi")):
            if not form.fullmatch(value := getattr(self, name)):
                raise _wrong(name, f"{value!r} is not an amount; write e.g. {example}")
        if self.gpus not in (0, 1):
            raise _wrong("gpus", f"a step uses one device; give 0 or 1, not {self.gpus}")
        if not (math.isfinite(self.max_hours) and self.max_hours > 0):
            raise _wrong("max_hours", f"must be above 0, not {self.max_hours}")
        if self.user < 1:
            raise _wrong("user", f"must be above 0 (root is not allowed), not {self.user}")
        for label in self.node_selector:
            name, equals, _ = label.partition("=")
            if not (name and equals):
                raise _wrong("node_selector", f"{label!r} is not a label; write e.g. pool=gpu")
        for taint in self.tolerations:
            if not _TOLERATION.fullmatch(taint):
                raise _wrong(
                    "tolerations",
                    f"{taint!r} is not a taint; write KEY:EFFECT or KEY=VALUE:EFFECT with effect "
                    "NoSchedule, NoExecute or PreferNoSchedule",
                )

    def device(self, verb: Verb) -> str:
        """Where a step's model runs."""
        return "cuda" if self.gpus and verb.generates else "cpu"

    def apply(self, task: Any, verb: Verb) -> None:
        """Give all that to the task of a verb."""
        task.set_cpu_request(self.cpu).set_memory_request(self.memory)
        task.set_memory_limit(self.memory)
        if self.device(verb) != "cpu":
            task.set_accelerator_type(self.gpu_resource).set_accelerator_limit(self.gpus)
        kubernetes.set_timeout(task, math.ceil(self.max_hours * 3600))
        # What Pod Security asks for beside that (no capabilities, seccomp), Kubeflow sets itself.
        kubernetes.set_security_context(
            task, run_as_user=self.user, run_as_group=self.user, run_as_non_root=True
        )
        if self.pull_secrets:
            kubernetes.set_image_pull_secrets(task, list(self.pull_secrets))
        for label in self.node_selector:
            name, _, value = label.partition("=")
            kubernetes.add_node_selector(task, name, value)
        for taint in self.tolerations:
            kubernetes.add_toleration(task, **_toleration(taint))
        if self.trust:
            kubernetes.use_config_map_as_volume(task, self.trust, TRUST_MOUNT)
            for variable in TRUST_VARIABLES:
                task.set_env_variable(variable, f"{TRUST_MOUNT}/{self.trust_key}")


@dataclass(frozen=True)
class Pods:
    """The pods of all steps, and of some that need another one."""

    every: PodConfig = field(default_factory=PodConfig)
    special: Mapping[str, PodConfig] = field(default_factory=dict)
    """Verb -> its pod."""

    def of(self, verb: Verb) -> PodConfig:
        """The pod of a verb's step."""
        return self.special.get(verb.name, self.every)

    @classmethod
    def of_settings(cls, settings: Iterable[str]) -> Pods:
        """From ``--pod`` options: ``field=value``, or ``verb.field=value`` for one verb's steps.

        One option may hold several with commas between. A list that is set for one verb takes the
        place of that of all.

        Raises:
            InvalidInput: no such field or verb, or a value that is none of its.

        """
        told: dict[str, list[tuple[str, str]]] = {}
        for setting in (part for text in settings for part in text.split(",") if part):
            name, equals, value = setting.partition("=")
            verb, _, known = name.rpartition(".")
            if not equals:
                raise _wrong("", f"{setting!r} has no value; write e.g. memory=64Gi")
            if verb and verb not in VERBS:
                raise _wrong("", f"unknown step {verb!r}; valid: {', '.join(VERBS)}")
            if known == "gpus" and verb and not VERBS[verb].generates:
                able = ", ".join(v.name for v in VERBS.values() if v.generates)
                raise _wrong("gpus", f"{verb} does not run the model; these steps do: {able}")
            told.setdefault(verb, []).append((known, value))
        every = _changed(PodConfig(), told.pop("", ()))
        return cls(every, {verb: _changed(every, changes) for verb, changes in told.items()})


def _changed(config: PodConfig, changes: Sequence[tuple[str, str]]) -> PodConfig:
    present = {f.name: getattr(config, f.name) for f in fields(config)}
    values: dict[str, Any] = {}
    for name, text in changes:
        if name not in present:
            raise _wrong("", f"unknown field {name!r}; valid: {', '.join(present)}")
        kind = type(present[name])
        try:
            values[name] = (*values.get(name, ()), text) if kind is tuple else kind(text)
        except ValueError:
            what = "a whole number" if kind is int else "a number"
            raise _wrong(name, f"must be {what}, not {text!r}") from None
    return replace(config, **values)


def _toleration(taint: str) -> dict[str, str]:
    """``KEY=VALUE:EFFECT`` in Kubernetes' words; without a value any is tolerated."""
    parts = _TOLERATION.fullmatch(taint)
    assert parts is not None  # PodConfig has looked
    found = {key: text for key, text in parts.groupdict().items() if text is not None}
    return {**found, "operator": "Equal" if "value" in found else "Exists"}


def _wrong(name: str, what: str) -> InvalidInput:
    at = f"pod.{name}" if name else "pod"
    return InvalidInput(f"{at}: {what}", field=at)
