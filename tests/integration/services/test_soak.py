"""A short soak: every kind of process is killed once, and no job is lost or doubled."""

from __future__ import annotations

from pathlib import Path

from services.common.stack.config import MODEL_SERVICES
from tests.soak.serving.__main__ import ENVIRONMENT, report
from tests.soak.serving.audit import audit
from tests.soak.serving.clients import Crowd
from tests.soak.serving.kills import Killer
from tests.soak.serving.stack import Choice, SoakStack

OTHERS = ("gateway", "worker", "broker", "database-lock")
JOBS = 24
PATIENCE_S = 240.0


def test_every_kill_costs_only_time(tmp_path: Path) -> None:
    with SoakStack(tmp_path, Choice(), ENVIRONMENT) as stack:
        crowd = Crowd(stack.gateway, stack.key, JOBS, threads=6, patience_s=PATIENCE_S)
        killer = Killer(stack, mean_gap_s=0.5, seed=1)
        crowd.start()
        killer.once_each()
        crowd.join()
        known = {name for job in crowd.jobs for name in job.names}
        found = audit(stack.database_url, known)
        assert {kill.kind for kill in killer.kills} == {*MODEL_SERVICES, *OTHERS}
    assert report(crowd, killer, found, seconds=1.0) == 0
