"""``python -m tests.soak.serving --jobs 1000 --database postgres --broker redis``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.soak.serving.audit import Audit, audit, table
from tests.soak.serving.clients import Crowd
from tests.soak.serving.kills import Killer, run_until
from tests.soak.serving.stack import Choice, SoakStack

# A job that is under way when a process is killed has used an attempt up; here that is nobody's
# fault, and many kills may hit the same job.
ENVIRONMENT = {
    "OMNIREEL_GATEWAY_MAX_ATTEMPTS": "50",
    "OMNIREEL_GENERATOR_CHECKPOINT_EVERY_STEPS": "1",
    "OMNIREEL_SUPER_RESOLVER_CHECKPOINT_EVERY_STEPS": "1",
    "OMNIREEL_TEST_STEP_S": "0.02",
    # Tickets of the line for the device: every slot of every worker may stand in it.
    "OMNIREEL_PROMPT_ENHANCER_MAX_WAITING": "4",
    "OMNIREEL_GENERATOR_MAX_WAITING": "4",
    "OMNIREEL_SUPER_RESOLVER_MAX_WAITING": "4",
}
GRACE_S = 3600.0


def main() -> int:
    """Run, print, and end with 1 if a job was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--broker", choices=("files", "redis", "rabbitmq"), default="files")
    parser.add_argument("--clients", type=int, default=8, help="Jobs under way at once.")
    parser.add_argument("--gap", type=float, default=5.0, help="Mean seconds between two kills.")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    choice = Choice(given.database, given.broker)
    with tempfile.TemporaryDirectory(prefix="omnireel-soak-") as folder:
        soak = Soak(Path(folder), choice, given.jobs, given.clients, given.gap, given.seed)
        return soak.run()


class Soak:
    """One run in ``home``."""

    def __init__(
        self, home: Path, choice: Choice, jobs: int, clients: int, gap_s: float, seed: int
    ) -> None:
        self._stack = SoakStack(home, choice, ENVIRONMENT)
        self._count, self._clients = jobs, clients
        self._gap_s, self._seed = gap_s, seed

    def run(self) -> int:
        """The exit status."""
        begun = time.monotonic()
        with self._stack as stack:
            print(f"serving after {time.monotonic() - begun:.1f} s", flush=True)
            begun = time.monotonic()
            crowd = Crowd(stack.gateway, stack.key, self._count, self._clients, GRACE_S)
            killer = Killer(stack, self._gap_s, self._seed)

            def say() -> None:
                seconds = time.monotonic() - begun
                print(f"{seconds:6.0f} s: {crowd.done} jobs, {len(killer.kills)} kills", flush=True)

            crowd.start()
            killer.start()
            run_until(lambda: not crowd.busy, say, every_s=15.0)
            killer.stop()
            seconds = time.monotonic() - begun
            known = {name for job in crowd.jobs for name in job.names}
            found = audit(stack.database_url, known)
        return report(crowd, killer, found, seconds)


def report(crowd: Crowd, killer: Killer, found: Audit, seconds: float) -> int:
    """Print everything; the last line is for machines."""
    lost = [job for job in crowd.jobs if job.lost]
    doubled = sum(job.doubled for job in crowd.jobs) + found.strays + found.ended_twice
    for job in lost:
        print(f"lost: {sorted(job.names)} {job.state} {job.problem}")
    print("\n".join(table(killer.kills, found.spans)))
    calls = sum(job.tries for job in crowd.jobs)
    print(
        f"{seconds:.0f} s, {len(crowd.jobs) / seconds:.2f} jobs/s, {calls} calls of clients, jobs "
        f"taken up {found.taken} times"
    )
    print(
        f"jobs={len(crowd.jobs)} lost={len(lost)} doubled={doubled} kills={len(killer.kills)}",
        flush=True,
    )
    return 1 if lost or doubled else 0


if __name__ == "__main__":
    sys.exit(main())
