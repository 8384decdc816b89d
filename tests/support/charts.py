"""Renders charts with the real helm, and finds what a test asks about."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.programs import program

CHARTS = Path(__file__).parents[2] / "charts"
OMNIREEL = CHARTS / "omnireel"
TRAINING = CHARTS / "omnireel-training"
Object = dict[str, Any]

PRODUCTION: Object = {
    "database": {"existingSecret": "database"},
    "broker": {"existingSecret": "broker"},
    "store": {"url": "s3://bucket/prefix?endpoint=https://s3.example.com", "existingSecret": "s3"},
    "worker": {"safety": "https://safety.example.com/check"},
}
"""The least that an installation without in-cluster servers needs."""

PRODUCTION_TRAINING: Object = {
    "mlflow": {"existingSecret": "mlflow", "artifacts": "s3://mlflow/runs"},
    "storage": {"existingSecret": "s3", "endpoint": "http://s3:9000", "buckets": ["mlflow"]},
}
"""The least that the training chart needs."""


class HelmRefused(Exception):
    """Helm's own words."""


def helm(*arguments: str, values: Object | None = None) -> str:
    """Run helm; ``values`` go in as a file. Raises HelmRefused with what it printed."""
    command = [program("helm", folders=(Path(sys.executable).parent,)), *arguments]
    if values is not None:
        command += ["-f", "-"]
    done = subprocess.run(
        command, input=json.dumps(values or {}), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise HelmRefused(done.stdout + done.stderr)  # lint prints its findings
    return done.stdout


def merged(*parts: Object) -> Object:
    """Values laid over each other, as helm does with several files."""
    whole: Object = {}
    for part in parts:
        for key, value in part.items():
            below = whole.get(key)
            both = isinstance(below, dict) and isinstance(value, dict)
            whole[key] = merged(below, value) if both else value  # type: ignore[arg-type]
    return whole


@dataclass(frozen=True)
class Rendered:
    """The objects of one release."""

    objects: tuple[Object, ...]

    def of(self, kind: str) -> dict[str, Object]:
        """By name."""
        return {o["metadata"]["name"]: o for o in self.objects if o["kind"] == kind}

    def one(self, kind: str, name: str = "") -> Object:
        """The one of that name; without a name the only one."""
        found = self.of(kind)
        if not name:
            (name,) = found
        return found[name]

    def pods(self) -> dict[str, Object]:
        """Every pod template, by kind and name of what makes it."""
        return {
            f"{o['kind']}/{o['metadata']['name']}": template
            for o in self.objects
            if (template := _pod_template(o))
        }

    def container(self, pod: str) -> Object:
        """The first container of a pod template."""
        found: Object = self.pods()[pod]["spec"]["containers"][0]
        return found


def _pod_template(thing: Object) -> Object | None:
    spec = thing.get("spec", {})
    if thing["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    elif thing["kind"].endswith("TrainingRuntime"):
        (job,) = spec["template"]["spec"]["replicatedJobs"]
        spec = job["template"]["spec"]
    elif thing["kind"] not in ("Deployment", "StatefulSet", "Job"):
        return None
    template: Object = spec["template"]
    return template


def render(
    *parts: Object, chart: Path = OMNIREEL, dev: bool = False, release: str = "r"
) -> Rendered:
    """The chart in namespace `ns`; ``dev`` lays values-dev.yaml below."""
    if dev:
        parts = (yaml.safe_load((chart / "values-dev.yaml").read_text()), *parts)
    return _render(str(chart), release, "ns", json.dumps(merged(*parts), sort_keys=True))


def render_training(*parts: Object) -> Rendered:
    """charts/omnireel-training as release `here` in namespace `ml`."""
    return _render(str(TRAINING), "here", "ml", json.dumps(merged(*parts), sort_keys=True))


@cache
def _render(chart: str, release: str, namespace: str, values: str) -> Rendered:
    text = helm("template", release, chart, "-n", namespace, values=json.loads(values))
    return Rendered(tuple(o for o in yaml.safe_load_all(text) if o))
