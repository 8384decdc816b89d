"""The verb ``omnireel doctor``."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.console import Console

from omnireel.errors import FailedPrecondition, InvalidInput
from services.common.doctor.cluster import Kubectl
from services.common.doctor.questions import problems
from services.common.doctor.references import Object


def doctor(
    kube: Annotated[
        bool, typer.Option("--kube", help="Check the cluster of kubectl's current context.")
    ] = False,
    chart: Annotated[Path, typer.Option(help="Folder of the chart.")] = Path("charts/omnireel"),
    values: Annotated[
        list[Path] | None, typer.Option("--values", "-f", help="Values files, as for helm.")
    ] = None,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Namespace of the release.")
    ] = "default",
    release: Annotated[str, typer.Option(help="Name of the release.")] = "omnireel",
    context: Annotated[str, typer.Option(help="Context of kubectl to use instead.")] = "",
) -> None:
    """Say what an installation would lack, before it is one. Nothing is changed.

    Example: omnireel doctor --kube -n video -f values.yaml
    """
    if not kube:
        raise InvalidInput("choose what to check: omnireel doctor --kube", field="kube")
    cluster = Kubectl(_program("kubectl"), namespace, context)
    version = ".".join(map(str, cluster.version()))
    objects = _render(chart, release, namespace, values or [])
    console = Console()
    found = list(problems(cluster, namespace, objects))
    for line in found:
        console.print(f"- {line}", markup=False, highlight=False, soft_wrap=True)
    if found:
        console.print(f"{len(found)} to mend before {release!r} can be installed", markup=False)
        raise typer.Exit(1)
    console.print(f"Kubernetes {version} has what {len(objects)} objects of {release!r} need")


def _render(chart: Path, release: str, namespace: str, values: list[Path]) -> list[Object]:
    # Without the cluster: there the chart stops at the first lack, and here all are wanted.
    command = [_program("helm"), "template", release, str(chart), "-n", namespace]
    command += [part for path in values for part in ("-f", str(path))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        words = done.stderr.partition("Error: ")[2].partition("\n\nUse --debug")[0]
        words = re.sub(r"^execution error at \(.*?\): ", "", words)
        raise InvalidInput(" ".join((words or done.stderr).split()), field="values")
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise FailedPrecondition(f"{name} is not on the PATH; install it first")
    return found
