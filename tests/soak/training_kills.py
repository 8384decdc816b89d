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
from pathlib import Path

from omnireel.train.checkpoint import latest_checkpoint
from omnireel.train.effective_time import FailureModel
from omnireel.train.supervise import Supervisor, SupervisorConfig

RANKS = 2


def _command(run: Path, steps: int, every: int) -> list[str]:
    settings = {
        "trainer.num_steps": steps,
        "trainer.accumulate": RANKS,
        "trainer.log_every": 1,
        "trainer.validate_every": 10**6,
        "trainer.checkpoint_every": every,
        "trainer.background_checkpoints": "true",
        "trainer.parallel.zero": 2,
        "trainer.parallel.hang_s": 10,
    }
    command = [sys.executable, "-m", "omnireel.cli.main", "train", "generator-debug"]
    command += ["--out", str(run), "--cache", str(run.parent / "cache"), "--mlflow", "off"]
    return command + [part for k, v in settings.items() for part in ("--set", f"{k}={v}")]


def _rows(run: Path) -> list[dict[str, float]]:
    path = run / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [row for row in map(json.loads, lines) if row["event"] == "train"]


def _hit(supervisor: Supervisor, run: Path, gap_s: float, rng: random.Random, hits: list[str],
         over: threading.Event) -> None:  # fmt: skip
    while not over.wait(rng.expovariate(1 / gap_s)):
        before = len(_rows(run))
        # Only a run that trains can be hit: what restarting costs is then seen whole.
        while len(_rows(run)) == before and not over.wait(0.1):
            pass
        chosen = rng.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP))
        try:
            os.kill(rng.choice(supervisor.pids), chosen)
            hits.append(signal.Signals(chosen).name)
        except ProcessLookupError:
            continue


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--checkpoint-every", type=int, default=50)
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
    hits: list[str] = []
    over = threading.Event()
    rng = random.Random(options.seed)
    hitting = threading.Thread(
        target=_hit, args=(supervisor, run, options.gap, rng, hits, over), daemon=True
    )
    hitting.start()
    started = time.monotonic()
    result = supervisor.work()
    wall_s = time.monotonic() - started
    over.set()
    rows = _rows(run)
    step_s = statistics.median(4.0 * RANKS / row["samples_per_s"] for row in rows)
    trained = len({row["step"] for row in rows})
    repeated = len(rows) - trained
    assert trained == options.steps, (trained, options.steps)
    lost_s = wall_s - options.steps * step_s
    each_s = (lost_s - repeated * step_s) / (len(result.failures) + 1)
    print(f"hits: {', '.join(hits) or 'none'}; failures found: {len(result.failures)}")
    for failure in result.failures:
        print(
            f"  {failure.reason} at step {failure.step}, found after {failure.found_after_s:.1f} s"
        )
    print(f"steps {trained}, repeated {repeated}, {1000 * step_s:.0f} ms each; wall {wall_s:.0f} s")
    print(f"a start or restart costs {each_s:.1f} s")
    print(f"effective training time here: {options.steps * step_s / wall_s:.1%}")
    # A GPU rank fails every 5 years or so: Llama 3 had 419 failures on 16,384 GPUs in 54 days
    # (arXiv 2407.21783, section 3.3.4).
    mtbf_s = 16_384 * 54 * 86_400 / 419
    model = FailureModel(1000, mtbf_s, restart_s=each_s + 300.0, checkpoint_s=2.0, write_s=60.0)
    interval_s = model.best_interval_s()
    print(
        f"model, 1,000 GPUs with one failure in {mtbf_s / 86_400 / 365:.1f} years each, restart "
        f"{model.restart_s:.0f} s (measured, and 300 s assumed to load a large checkpoint), "
        f"checkpoint every {interval_s / 60:.0f} min: {model.effective(interval_s):.2%}"
    )


if __name__ == "__main__":
    main()
