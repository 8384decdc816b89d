"""Charts rendered by the real Helm, without a cluster."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.support.programs import program

CHARTS = Path(__file__).parents[2] / "charts"
_HERE = Path(sys.executable).parent
Object = dict[str, Any]


class Refused(Exception):
    """Helm's own words about values that it does not take."""


def helm(*words: str, values: Mapping[str, Any] | None = None) -> str:
    """Run helm with ``values`` as a file; its output.

    Raises:
        Refused: it failed.

    """
    command = [program("helm", folders=(_HERE,)), *words]
    text = None
    if values is not None:
        command += ["--values", "-"]
        text = yaml.safe_dump(dict(values))
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(done.stdout + done.stderr)
    return done.stdout


def render(
    chart: str, values: Mapping[str, Any] | None = None, *, namespace: str = "ml"
) -> list[Object]:
    """The objects that a release called "here" would have."""
    text = helm(
        "template", "here", str(CHARTS / chart), "--namespace", namespace, values=values or {}
    )
    return [found for found in yaml.safe_load_all(text) if found]


def one(objects: list[Object], kind: str, name: str = "") -> Object:
    """The only object of a kind (and a name that ends so)."""
    (found,) = [o for o in objects if o["kind"] == kind and o["metadata"]["name"].endswith(name)]
    return found


def pods(objects: list[Object]) -> dict[str, Object]:
    """Every pod template's spec, by ``Kind/name``."""
    found: dict[str, Object] = {}
    for thing in objects:
        spec = thing.get("spec") or {}
        if thing["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        elif thing["kind"].endswith("TrainingRuntime"):
            spec = spec["template"]["spec"]["replicatedJobs"][0]["template"]["spec"]
        if "template" in spec:
            name = f"{thing['kind']}/{thing['metadata']['name']}"
            found[name] = spec["template"]["spec"]
    return found
