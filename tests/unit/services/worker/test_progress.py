from __future__ import annotations

import threading
from pathlib import Path

from services.common.jobs import Heartbeat, Stage
from services.worker.progress import ProgressWriter
from tests.support.jobs import Clock, add_job, new_store


def test_a_held_back_step_is_written_though_no_other_comes(tmp_path: Path) -> None:
    jobs = new_store(tmp_path, Clock())
    job_id = add_job(jobs).id
    claimed = jobs.claim(job_id, "w", 100)
    assert claimed
    beats: list[Heartbeat] = []
    written = threading.Semaphore(0)

    def observe(heartbeat: Heartbeat) -> None:
        beats.append(heartbeat)
        written.release()

    writer = ProgressWriter(jobs, claimed[0], (Stage.GENERATE,), observe=observe, interval_s=0.05)
    writer.step(Stage.GENERATE, 0, 4, 0.0)
    for step in (1, 2):
        writer.step(Stage.GENERATE, step, 4, step / 4)
    assert written.acquire(timeout=60) and written.acquire(timeout=60)
    progress = [event.progress for event in jobs.events_after(job_id, 2)]
    assert [at.step for at in progress if at] == [0, 1, 2]
    jobs.succeed(claimed[0])
    jobs.close()
