"""Rows to dataclasses and back."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, insert

from omnireel.errors import FieldViolation
from services.common.jobs.job import Event, Job, JobError, JobState, Progress, Stage
from services.common.jobs.schema import job_events
from services.common.jobs.webhooks import fire


def job_from_row(row: Row[Any]) -> Job:
    """A whole row of ``jobs`` as a :class:`Job`."""
    return Job(
        id=row.id,
        caller=row.caller,
        request_id=row.request_id or "",
        body=row.body,
        state=JobState(row.state),
        cancel_requested=row.cancel_requested,
        priority=row.priority,
        deadline=row.deadline,
        attempt=row.attempt,
        max_attempts=row.max_attempts,
        token=row.token,
        lease_owner=row.lease_owner,
        lease_expires=row.lease_expires,
        event_sequence=row.event_sequence,
        progress=_progress(row),
        error=error_from_json(row.error) if row.error is not None else None,
        created_at=row.created_at,
        updated_at=row.updated_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        traceparent=row.traceparent or "",
    )


def event_from_row(row: Row[Any]) -> Event:
    """A whole row of ``job_events`` as an :class:`Event`."""
    return Event(
        job_id=row.job_id,
        sequence=row.sequence,
        time=row.time,
        state=JobState(row.state),
        progress=_progress(row),
        message=row.message,
    )


def add_event(connection: Connection, event: Event) -> None:
    """Append ``event``; its sequence must come from the job row, updated in this transaction.

    The last event of a job makes its webhook due.
    """
    columns = progress_columns(event.progress)
    connection.execute(
        insert(job_events).values(
            job_id=event.job_id,
            sequence=event.sequence,
            time=event.time,
            state=event.state.value,
            message=event.message,
            **columns,
        )
    )
    if event.state.terminal:
        fire(connection, event.job_id, event.time)


def progress_columns(progress: Progress | None) -> dict[str, Any]:
    """The five progress columns that ``jobs`` and ``job_events`` share."""
    if progress is None:
        return {"stage": None, "step": 0, "num_steps": 0, "fraction": 0.0, "preview_uri": ""}
    return {
        "stage": progress.stage.value,
        "step": progress.step,
        "num_steps": progress.num_steps,
        "fraction": progress.fraction,
        "preview_uri": progress.preview_uri,
    }


def _progress(row: Row[Any]) -> Progress | None:
    if row.stage is None:
        return None
    return Progress(
        stage=Stage(row.stage),
        step=row.step,
        num_steps=row.num_steps,
        fraction=row.fraction,
        preview_uri=row.preview_uri,
    )


def error_to_json(error: JobError) -> str:
    """The text kept in ``jobs.error``."""
    return json.dumps(
        {
            "code": error.code,
            "message": error.message,
            "reason": error.reason,
            "retryable": error.retryable,
            "violations": [[v.field, v.description] for v in error.violations],
        }
    )


def error_from_json(text: str) -> JobError:
    """The inverse of :func:`error_to_json`."""
    data = json.loads(text)
    violations = tuple(FieldViolation(field, what) for field, what in data.pop("violations"))
    return JobError(**data, violations=violations)
