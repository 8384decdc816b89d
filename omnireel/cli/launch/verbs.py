"""``omnireel train jobs``: TrainJobs that were submitted with ``--launcher trainjob``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from omnireel.cli.printing import out

app = typer.Typer(
    name="jobs",
    help="Jobs that '--launcher trainjob' made: list, follow, cancel, reap.\n\n"
    "Example: omnireel train jobs list --namespace training",
    no_args_is_help=True,
)

Namespace = Annotated[
    str, typer.Option(help="Namespace; default: that of this pod, else of kubectl.")
]
Name = Annotated[str, typer.Argument(help="Name of the job.")]


@app.command("list")
def list_jobs(namespace: Namespace = "") -> None:
    """Show every job and its state. Example: omnireel train jobs list."""
    from omnireel.cli.launch.cluster import Cluster
    from omnireel.cli.launch.follow import state_of

    jobs = Cluster.connect(namespace).jobs()
    for job in jobs:
        out().print(f"{job['metadata']['name']}  {state_of(job)[0]}", markup=False)
    if not jobs:
        out().print("no jobs")


@app.command("follow")
def follow_job(name: Name, namespace: Namespace = "") -> None:
    """Show a job until it ends; Ctrl-C deletes it. Example: omnireel train jobs follow train-x."""
    from omnireel.cli.launch.cluster import Cluster
    from omnireel.cli.launch.follow import follow

    follow(Cluster.connect(namespace), name, lambda line: out().print(line, markup=False))


@app.command("cancel")
def cancel(name: Name, namespace: Namespace = "") -> None:
    """Delete a job; its run folder keeps the last checkpoint.

    Example: omnireel train jobs cancel train-generator-tiny-0f3a5b6c7d
    """
    from omnireel.cli.launch.cluster import Cluster
    from omnireel.errors import NotFound

    if not Cluster.connect(namespace).delete(name):
        raise NotFound(f"there is no job {name}")
    out().print(f"{name}: deleted")


@app.command("reap")
def reap(
    namespace: Namespace = "",
    keep_hours: Annotated[
        float, typer.Option(min=0.0, help="Delete ended jobs after this many hours.")
    ] = 24.0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what would be deleted.")
    ] = False,
) -> None:
    """Delete what cancelled workflows left: jobs whose step has ended, and old ended jobs.

    Example: omnireel train jobs reap --keep-hours 48
    """
    from omnireel.cli.launch.cluster import Cluster

    cluster = Cluster.connect(namespace)
    for job in cluster.jobs():
        name = job["metadata"]["name"]
        if why := _reason_to_go(cluster, job, timedelta(hours=keep_hours)):
            if not dry_run:
                cluster.delete(name)
            out().print(f"{name}: {'would be' if dry_run else 'was'} deleted, {why}", markup=False)


def _reason_to_go(cluster: Any, job: dict[str, Any], keep: timedelta) -> str:
    from omnireel.cli.launch.follow import COMPLETE, FAILED, state_of
    from omnireel.cli.launch.manifest import OWNER_POD

    if state_of(job)[0] in (COMPLETE, FAILED):
        ended = max(c["lastTransitionTime"] for c in job["status"]["conditions"])
        age = datetime.now(UTC) - datetime.fromisoformat(ended)
        return f"it ended {age.total_seconds() / 3600:.0f} hours ago" if age > keep else ""
    owner = job["metadata"].get("annotations", {}).get(OWNER_POD, "")
    if "/" in owner:
        return ""  # a step in another namespace, where this may not look; it deletes its job itself
    if owner and (phase := cluster.pod_phase(owner)) not in ("Pending", "Running", "Unknown"):
        return f"its step {owner} has ended" if phase else f"its step {owner} is gone"
    return ""
