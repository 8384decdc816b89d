"""Kill ranks of a real training run at random and report how much of its time trained.

``make kill-test`` runs it; the last lines are the totals. A run of two ranks under the supervisor
is hit by SIGKILL and SIGSTOP (a rank that hangs) at random moments. Useful time is the time that
its steps take when nothing happens; what it lost is restarting, repeated steps and checkpoints.
From the measured costs the model of :mod:`omnireel.train.effective_time` extrapolates.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from omnireel.parallel import ParallelConfig
from omnireel.train.checkpoint import latest_checkpoint
from omnireel.train.effective_time import FailureModel
from omnireel.train.supervise import Supervisor, SupervisorConfig

RANKS = 2
HANG_S = 10.0
LOAD_S = 300.0
"""Assumed for a checkpoint of a large model; the one here is tiny."""


def _command(run: Path, steps: int, every: int) -> list[str]:
    settings = {
        "trainer.num_steps": steps,
        "trainer.accumulate": RANKS,
        "trainer.log_every": 1,
        "trainer.validate_every": 10**6,
        "trainer.checkpoint_every": every,
        "trainer.background_checkpoints": "true",
        "trainer.parallel.zero": 2,
        "trainer.parallel.hang_s": HANG_S,
    }
    command = [sys.executable, "-m", "omnireel.cli.main", "train", "generator-debug"]
    command += ["--out", str(run), "--cache", str(run.parent / "cache"), "--mlflow", "off"]
    return command + [part for k, v in settings.items() for part in ("--set", f"{k}={v}")]


def _rows(run: Path) -> list[dict[str, float]]:
    path = run / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [row for row in map(json.loads, lines) if row["event"] == "train"]


class Killer(threading.Thread):
    """Hits a random rank now and then; ``hits`` says with what, and how long nothing trained."""

    def __init__(self, supervisor: Supervisor, run: Path, gap_s: float, seed: int) -> None:
        super().__init__(daemon=True)
        self._supervisor, self._run, self._gap_s = supervisor, run, gap_s
        self._rng = random.Random(seed)
        self.over = threading.Event()
        self.hits: list[tuple[str, float]] = []

    def run(self) -> None:
        # Only a run that trains is hit: what restarting costs is then seen whole.
        self._wait_for_more(self._num_rows, 0)
        while not self.over.wait(self._rng.expovariate(1 / self._gap_s)):
            chosen = self._rng.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP))
            starts = self._num_starts()
            try:
                os.kill(self._rng.choice(self._supervisor.pids), chosen)
            except ProcessLookupError:
                continue
            hit_at = time.monotonic()
            self._wait_for_more(self._num_starts, starts)
            self._wait_for_more(self._num_rows, self._num_rows())
            if not self.over.is_set():
                self.hits.append((signal.Signals(chosen).name, time.monotonic() - hit_at))

    def _num_rows(self) -> int:
        return len(_rows(self._run))

    def _num_starts(self) -> int:
        path = self._run / "restarts.jsonl"
        return path.read_text().count('"start"') if path.exists() else 0

    def _wait_for_more(self, count: Callable[[], int], than: int) -> None:
        while count() <= than and not self.over.wait(0.2):
            pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--checkpoint-every", type=int, default=200)
    parser.add_argument("--gap", type=float, default=60.0, help="mean seconds between hits")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    run = options.folder / "run"
    command = _command(run, options.steps, options.checkpoint_every)
    supervisor = Supervisor(
        SupervisorConfig(RANKS, max_restarts=5),
        run,
        lambda again: [*command, *(["--resume"] if again else [])],
        lambda: latest_checkpoint(run),
        environment={**os.environ, "OMP_NUM_THREADS": "1"},
        say=print,
    )
    killer = Killer(supervisor, run, options.gap, options.seed)
    killer.start()
    started = time.monotonic()
    result = supervisor.work()
    wall_s = time.monotonic() - started
    killer.over.set()
    killer.join()
    rows = _rows(run)
    step_s = statistics.median(4.0 * RANKS / row["samples_per_s"] for row in rows)
    trained = len({row["step"] for row in rows})
    repeated = len(rows) - trained
    assert trained == options.steps, (trained, options.steps)
    assert killer.hits, "nothing was hit: give it more --steps"
    for failure in result.failures:
        print(
            f"  {failure.reason} at step {failure.step}, found after {failure.found_after_s:.1f} s"
        )
    for name in sorted({name for name, _ in killer.hits}):
        down = [down_s for hit, down_s in killer.hits if hit == name]
        print(
            f"{name}: {len(down)} times; training again after {statistics.median(down):.1f} s "
            f"(longest {max(down):.1f} s)"
        )
    print(f"steps {trained}, repeated {repeated}, {1000 * step_s:.0f} ms each; wall {wall_s:.0f} s")
    print(f"effective training time here: {options.steps * step_s / wall_s:.1%}")
    print(f"with validations and checkpoints, as the supervisor counts: {result.effective:.1%}")
    _extrapolate(max(down_s for _, down_s in killer.hits))


def _extrapolate(longest_s: float) -> None:
    """What the model makes of the longest restart here, under assumptions that are all printed."""
    # A GPU rank fails every 5 years or so: Llama 3 had 419 failures on 16,384 GPUs in 54 days
    # (arXiv 2407.21783, section 3.3.4).
    mtbf_s = 16_384 * 54 * 86_400 / 419
    # A hang is found later with the limit that runs have by default.
    restart_s = longest_s + (ParallelConfig().hang_s - HANG_S) + LOAD_S
    print(
        f"model, 1,000 GPUs, assumed: one failure in {mtbf_s / 86_400 / 365:.1f} years each; "
        f"{LOAD_S:.0f} s to load a large checkpoint beside the longest restart measured"
    )
    for restart, checkpoint_s, write_s in (
        (restart_s, 2.0, 60.0),
        (restart_s, 10.0, 60.0),
        (restart_s, 20.0, 120.0),
        (600.0, 30.0, 300.0),
    ):
        model = FailureModel(1000, mtbf_s, restart, checkpoint_s, write_s)
        interval_s = model.best_interval_s()
        repeated_s = interval_s / 2 + write_s
        print(
            f"  restart {restart:.0f} s, waiting {checkpoint_s:.0f} s for a checkpoint that counts "
            f"after {write_s:.0f} s, one every {interval_s / 60:.0f} min: "
            f"{model.effective(interval_s):.1%} effective, {repeated_s / 60:.0f} min of steps "
            "repeated after a failure"
        )


if __name__ == "__main__":
    main()
