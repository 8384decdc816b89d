"""What services work on, as a person wants to see it; read from their job database."""

from __future__ import annotations

import time
from dataclasses import dataclass

from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from services.common.jobs import Job, JobState, Stage, open_jobs
from services.common.jobs.overview import Backlog, Line

SHOWN = 3
"""Failures, and jobs at the head of the queue, that are shown."""
BAR_WIDTH = 24
HOUR_S = 3600.0


@dataclass(frozen=True)
class Work:
    """One look. ``ended`` counts the jobs of the last hour by how they ended."""

    backlog: Backlog
    line: Line
    ended: dict[JobState, int]
    failures: tuple[Job, ...]
    versions: dict[Stage, str]


def look_at_work(url: str) -> Work:
    """Read the jobs in the database at ``url``."""
    jobs = open_jobs(url)
    try:
        return Work(
            backlog=jobs.backlog(),
            line=jobs.line(),
            ended=jobs.ended_since(time.time() - HOUR_S),
            failures=jobs.last_failures(SHOWN),
            versions=dict(jobs.cost_table().newest_version),
        )
    finally:
        jobs.close()


def show_work(work: Work, console: Console) -> None:
    """Print it."""
    waiting = sum(work.backlog.depth.values())
    done = ", ".join(f"{count} {state.value.lower()}" for state, count in work.ended.items())
    console.print(
        f"queue: {waiting} waiting{_oldest(work)}, {len(work.line.running)} running on "
        f"{work.line.slots} slots; in the last hour: {done or 'nothing ended'}"
    )
    for tenant, depth in sorted(work.backlog.depth.items(), key=lambda item: -item[1])[:SHOWN]:
        console.print(f"  {tenant}: {depth} waiting", markup=False)
    if work.line.running:
        console.print(_running(work.line))
    for job in work.failures:
        console.print(_failure(job))
    if work.versions:
        versions = ", ".join(
            f"{stage.value.lower()} {version}"
            for stage, version in work.versions.items()
            if version
        )
        console.print(f"models that worked last: {versions}", markup=False)


def _oldest(work: Work) -> str:
    if not work.backlog.oldest:
        return ""
    return f" (the oldest for {work.line.at - min(work.backlog.oldest.values()):.0f} s)"


def _running(line: Line) -> Table:
    table = Table("running", "tenant", "stage", "done", "", "for", box=None, pad_edge=False)
    for job in line.running:
        at = job.progress
        stage = at.stage.value.lower() if at else "starting"
        steps = f" {at.step}/{at.num_steps}" if at and at.num_steps else ""
        fraction = at.fraction if at else 0.0
        table.add_row(
            job.id,
            job.caller,
            stage + steps,
            f"{fraction:.0%}",
            ProgressBar(total=1.0, completed=fraction, width=BAR_WIDTH),
            f"{line.at - (job.started_at or line.at):.0f} s",
        )
    return table


def _failure(job: Job) -> Text:
    when = time.strftime("%H:%M:%S", time.localtime(job.finished_at))
    reason = job.error.reason if job.error else ""
    message = job.error.message if job.error else ""
    return Text.assemble(("failed ", "red"), f"{job.id} at {when}: {reason}: {message}")
