"""What the job database says after the storm."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean

from sqlalchemy import select

from services.common.jobs.database import Database
from services.common.jobs.schema import job_events, job_stages, jobs
from tests.soak.serving.kills import Kill

FINAL = ("SUCCEEDED", "FAILED", "CANCELLED")


@dataclass(frozen=True)
class Audit:
    """``strays``: jobs nobody asked for. ``ended_twice``: jobs with more than one final event, a
    gap in their events, or stages that were saved more than once."""

    strays: int
    ended_twice: int
    taken: int
    spans: tuple[tuple[float, float], ...]
    """When each job was first taken, and when it ended; seconds of the epoch."""


def audit(url: str, expected: set[str]) -> Audit:
    """Compare the database with the ids that the clients know."""
    database = Database(url)
    with database.read() as connection:
        rows = connection.execute(select(jobs)).all()
        events = connection.execute(
            select(job_events.c.job_id, job_events.c.sequence, job_events.c.state)
        ).all()
        stages = connection.execute(select(job_stages.c.job_id, job_stages.c.stage)).all()
    database.close()
    by_job: dict[str, list[tuple[int, str]]] = {row.id: [] for row in rows}
    for event in events:
        by_job[event.job_id].append((event.sequence, event.state))
    return Audit(
        strays=sum(row.id not in expected for row in rows),
        ended_twice=sum(not _ended_once(sorted(seen)) for seen in by_job.values())
        + len(stages)
        - len({(stage.job_id, stage.stage) for stage in stages}),
        taken=sum(row.token for row in rows),
        spans=tuple((r.started_at, r.finished_at) for r in rows if r.started_at and r.finished_at),
    )


def _ended_once(events: list[tuple[int, str]]) -> bool:
    numbers = [number for number, _ in events]
    finals = [state for _, state in events if state in FINAL]
    return numbers == list(range(1, len(events) + 1)) and len(finals) == 1 == sum(
        state in FINAL for _, state in events[-1:]
    )


def table(kills: Iterable[Kill], spans: tuple[tuple[float, float], ...]) -> list[str]:
    """Kills by kind; how long until it served again, and until the jobs that it hit were done."""
    by_kind: dict[str, list[Kill]] = {}
    for kill in kills:
        by_kind.setdefault(kill.kind, []).append(kill)
    lines = [
        f"{'killed':<22}{'times':>6}{'serves again after, s':>24}{'its jobs done after, s':>25}"
    ]
    lines.append(f"{'':<22}{'':>6}{'mean':>16}{'max':>8}{'mean':>17}{'max':>8}")
    for kind, hits in sorted(by_kind.items()):
        back = [hit.back_s for hit in hits]
        done = [_recovered(hit, spans) for hit in hits]
        lines.append(
            f"{kind:<22}{len(hits):>6}{mean(back):>16.1f}{max(back):>8.1f}"
            f"{mean(done):>17.1f}{max(done):>8.1f}"
        )
    return lines


def _recovered(kill: Kill, spans: tuple[tuple[float, float], ...]) -> float:
    """Seconds until every job that was under way at the kill had ended."""
    return max((end - kill.at for start, end in spans if start <= kill.at <= end), default=0.0)
