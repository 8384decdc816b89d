"""A job store on a clock that tests turn by hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from services.common.jobs import Job, JobStore, NewJob, open_jobs


@dataclass
class Clock:
    """Seconds of the epoch; moves only when told."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now

    def tick(self, seconds: float) -> None:
        """Move on."""
        self.now += seconds


def new_store(folder: Path, clock: Clock) -> JobStore:
    """A fresh store in ``folder``, or the one that is there."""
    return open_jobs(f"sqlite:///{folder / 'jobs.db'}", clock)


def add_job(store: JobStore, caller: str = "me", **fields: object) -> Job:
    """Submit a job with a body of one byte."""
    job, _ = store.submit(NewJob(caller=caller, body=b"x", **fields))  # type: ignore[arg-type]
    return job
