"""``omnireel train --ranks 2``: a rank that is killed costs the steps since the last checkpoint."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

STEPS, EVERY = 60, 10


def _rows(run: Path, name: str) -> list[dict[str, Any]]:
    path = run / name
    return [json.loads(x) for x in path.read_text().splitlines()] if path.exists() else []


def _trained(run: Path) -> list[int]:
    return [int(r["step"]) for r in _rows(run, "metrics.jsonl") if r["event"] == "train"]


def test_a_killed_rank_is_started_again_and_nothing_is_lost(tmp_path: Path) -> None:
    run = tmp_path / "run"
    settings = {
        "trainer.num_steps": STEPS,
        "trainer.accumulate": 2,
        "trainer.log_every": 1,
        "trainer.validate_every": 1000,
        "trainer.checkpoint_every": EVERY,
        "trainer.parallel.zero": 2,
    }
    command = [sys.executable, "-m", "omnireel.cli.main", "train", "generator-debug"]
    command += ["--ranks", "2", "--out", str(run), "--cache", str(tmp_path), "--mlflow", "off"]
    command += [part for k, v in settings.items() for part in ("--set", f"{k}={v}")]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        # Past a checkpoint, and past some steps after it.
        while process.poll() is None and max(_trained(run), default=0) < EVERY + 3:
            time.sleep(0.02)
        assert process.poll() is None, "the run ended before it could be hit"
        os.kill(json.loads((run / "run.lock").read_text())["pid"], signal.SIGKILL)
        assert process.wait(240) == 0
    finally:
        process.kill()

    events = [row["event"] for row in _rows(run, "restarts.jsonl")]
    assert events == ["start", "failure", "start", "done"]
    failure = _rows(run, "restarts.jsonl")[1]
    assert failure["reason"] == "rank 0 was killed by signal 9" and failure["found_after_s"] < 60
    steps = Counter(_trained(run))
    assert sorted(steps) == list(range(1, STEPS + 1))
    repeated = sorted(step for step, times in steps.items() if times > 1)
    assert all(times <= 2 for times in steps.values())
    # The killed process's last row may not have reached the file.
    assert repeated == list(range(repeated[0], repeated[-1] + 1)) if repeated else True
    again = [r for r in _rows(run, "metrics.jsonl") if r["event"] == "start"][1]["step"]
    assert again % EVERY == 0 and again >= EVERY
    assert not repeated or repeated[0] == again + 1
