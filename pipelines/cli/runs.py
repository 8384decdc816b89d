"""``omnireel pipelines status``, ``logs`` and ``cancel``: runs that a server knows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from omnireel.cli.printing import err, out
from pipelines.cli.options import Endpoint, Namespace, RunId, server_of

if TYPE_CHECKING:
    from pipelines.server import Run


def status(
    run_id: RunId,
    endpoint: Endpoint,
    namespace: Namespace = "",
    watch: Annotated[bool, typer.Option("--watch", help="Wait until the run has ended.")] = False,
    every_s: Annotated[float, typer.Option(min=0.05, help="Polling interval in seconds.")] = 5.0,
) -> None:
    """Show a run and its steps; exits with 1 for one that failed or was cancelled.

    Example: omnireel pipelines status 0f3a... --endpoint http://ml-pipeline:8888 --watch
    """
    server = server_of(endpoint, namespace)
    found = server.look(run_id)
    shown: set[str] = set()
    while watch and not found.finished:
        for line in _lines(found):
            if line not in shown:
                out().print(line, markup=False)
                shown.add(line)
        time.sleep(every_s)
        found = server.look(run_id)
    for line in _lines(found):
        if line not in shown:
            out().print(line, markup=False)
    out().print(f"{found.id} {found.name}: {found.state} {found.error}".rstrip(), markup=False)
    if found.finished and found.state != "SUCCEEDED":
        raise typer.Exit(1)


def logs(
    run_id: RunId,
    endpoint: Endpoint,
    step: Annotated[str, typer.Option(help="Show only this step.")] = "",
    namespace: Namespace = "",
) -> None:
    """Print what a run's steps have written, as far as their pods are there.

    Example: omnireel pipelines logs 0f3a... --endpoint http://ml-pipeline:8888 --step clips
    """
    from omnireel.errors import NotFound

    server = server_of(endpoint, namespace)
    found = server.look(run_id)
    steps = [task for task in found.tasks if task.pod and step in ("", task.name)]
    if not steps:
        names = ", ".join(task.name for task in found.tasks if task.pod) or "none yet"
        raise NotFound(f"no step {step!r} of this run has a pod; valid: {names}")
    for task in steps:
        out().print(f"== {task.name} ({task.state})", markup=False)
        try:
            for piece in server.logs(run_id, task.pod):
                typer.echo(piece, nl=False)
        except NotFound as gone:
            err().print(gone.message, markup=False)


def cancel(run_id: RunId, endpoint: Endpoint, namespace: Namespace = "") -> None:
    """Stop a run; jobs that its steps have submitted end with their pods.

    Example: omnireel pipelines cancel 0f3a... --endpoint http://ml-pipeline:8888
    """
    found = server_of(endpoint, namespace).cancel(run_id)
    out().print(f"{found.id} {found.name}: {found.state}", markup=False)


def _lines(found: Run) -> list[str]:
    return [
        f"{task.state:<10} {task.name}{f': {task.error}' if task.error else ''}"
        for task in found.tasks
    ]
