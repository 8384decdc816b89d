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
Object = dict[str, Any]

PRODUCTION: Object = {
    "database": {"existingSecret": "database"},
    "broker": {"existingSecret": "broker"},
    "store": {"url": "s3://bucket/prefix?endpoint=https://s3.example.com", "existingSecret": "s3"},
    "worker": {"safety": "https://safety.example.com/check"},
}
"""The least that an installation without in-cluster servers needs."""


class HelmRefused(Exception):
    """Helm's own words."""


def helm(*arguments: str, values: Object | None = None) -> str:
    """Run helm; ``values`` go in as a file. Raises HelmRefused with its standard error."""
    command = [program("helm", folders=(Path(sys.executable).parent,)), *arguments]
    if values is not None:
        command += ["-f", "-"]
    done = subprocess.run(
        command, input=json.dumps(values or {}), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise HelmRefused(done.stderr)
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

    def one(self, kind: str, name: str) -> Object:
        """The only one."""
        return self.of(kind)[name]

    def pods(self) -> dict[str, Object]:
        """Every pod template, by kind and name of what makes it."""
        return {
            f"{o['kind']}/{o['metadata']['name']}": o["spec"]["template"]
            for o in self.objects
            if o["kind"] in ("Deployment", "StatefulSet", "Job")
        }

    def container(self, pod: str) -> Object:
        """The first container of a pod template."""
        found: Object = self.pods()[pod]["spec"]["containers"][0]
        return found


def render(*parts: Object, chart: Path = OMNIREEL, dev: bool = False) -> Rendered:
    """The chart as release `r` in namespace `ns`; ``dev`` lays values-dev.yaml below."""
    if dev:
        parts = (yaml.safe_load((chart / "values-dev.yaml").read_text()), *parts)
    return _render(str(chart), json.dumps(merged(*parts), sort_keys=True))


@cache
def _render(chart: str, values: str) -> Rendered:
    text = helm("template", "r", chart, "-n", "ns", values=json.loads(values))
    return Rendered(tuple(o for o in yaml.safe_load_all(text) if o))
