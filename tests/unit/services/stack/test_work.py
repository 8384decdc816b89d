from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from services.common.jobs import JobError, NewJob, Progress, Stage, StageOutput, open_jobs
from services.common.jobs.costs import CostKey, StageCost
from services.common.stack.config import database_url
from services.common.stack.work import look_at_work, show_work


def shown(home: Path) -> str:
    out = io.StringIO()
    show_work(look_at_work(database_url(home)), Console(file=out, width=200))
    return out.getvalue()


def test_an_idle_stack(tmp_path: Path) -> None:
    assert "0 waiting, 0 running on 0 slots; in the last hour: nothing ended" in shown(tmp_path)


def test_what_runs_waits_and_failed(tmp_path: Path) -> None:
    jobs = open_jobs(database_url(tmp_path))
    jobs.seen("w", 2)
    ids = [jobs.submit(NewJob("team", b"x"))[0].id for _ in range(4)]
    leases = []
    for job_id in ids[:2]:
        claimed = jobs.claim(job_id, "w", 1000)
        assert claimed
        leases.append(claimed[0])
    jobs.fail(leases[0], JobError(3, "[bold]no such colour[/]", "INVALID_INPUT"))
    jobs.record_progress(leases[1], [Progress(Stage.GENERATE, 3, 12, 0.25)])
    cost = StageCost(CostKey(Stage.ENHANCE, "e-1", ""), 1.0, 1.0)
    jobs.save_stage(leases[1], StageOutput(Stage.ENHANCE, b"", 0.0, 1.0), (), cost)
    jobs.close()
    text = shown(tmp_path)
    assert "queue: 2 waiting (the oldest for" in text
    assert "1 running on 2 slots; in the last hour: 1 failed" in text
    assert "team: 2 waiting" in text
    (line,) = [line for line in text.splitlines() if line.startswith(ids[1])]
    assert "generate 3/12" in line and "25%" in line
    assert f"failed {ids[0]}" in text and "INVALID_INPUT: [bold]no such colour[/]" in text
    assert "models that worked last: enhance e-1" in text
