"""Draws who gets the workers when one tenant floods the queue; in SQL, in simulated time.

``python -m tests.bench.fairness docs/media/fairness.png``
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

from tests.support.jobs import Clock, new_store
from tests.support.queueing import Simulation

SLOTS = 4
ARRIVALS = (
    (0.0, "crowd", 1000),
    (300.0, "newcomer", 1),
    (600.0, "gold", 200),
    (900.0, "newcomer", 60),
)
WEIGHTS = {"gold": 3.0}
END_S = 1800.0


def simulate(folder: Path) -> tuple[Simulation, float]:
    """Run the arrivals; and the seconds that one turn of the dispatcher took on average."""
    clock = Clock(0.0)
    store = new_store(folder, clock)
    for tenant, weight in WEIGHTS.items():
        store.set_policy(tenant, weight=weight)
    simulation = Simulation(store, clock, slots=SLOTS)
    turns, spent_s = 0, 0.0
    for begins_at, tenant, count in (*ARRIVALS, (END_S, "", 0)):
        while simulation.running and simulation.running[0][0] <= begins_at:
            simulation.finish_next()
            begun = time.perf_counter()
            simulation.start_what_can()
            turns, spent_s = turns + 1, spent_s + time.perf_counter() - begun
        clock.now = begins_at
        simulation.submit(tenant, count)
        simulation.start_what_can()
    store.close()
    return simulation, spent_s / turns


def waits(simulation: Simulation) -> dict[str, float]:
    """Seconds from a tenant's first arrival to its first start."""
    arrived = {tenant: at for at, tenant, _ in reversed(ARRIVALS)}
    return {
        tenant: next(at for at, name in simulation.started if name == tenant) - begun
        for tenant, begun in arrived.items()
    }


def draw(simulation: Simulation, path: Path) -> None:
    """Jobs started by each tenant over time."""
    figure, axes = plt.subplots(figsize=(8, 4.5), dpi=120)
    for tenant in dict.fromkeys(name for _, name, _ in ARRIVALS):
        times = [at for at, name in simulation.started if name == tenant]
        axes.step(
            [*times, END_S], [*range(1, len(times) + 1), len(times)], where="post", label=tenant
        )
    for at, tenant, count in ARRIVALS:
        axes.axvline(at, color="0.85", zorder=0)
        axes.annotate(
            f"{tenant} +{count}",
            (at + 5, 0.98),
            xycoords=("data", "axes fraction"),
            rotation=90,
            va="top",
            fontsize=8,
            color="0.4",
        )
    axes.set(
        xlabel=f"seconds ({SLOTS} workers, 10 s a job; gold has weight 3)",
        ylabel="jobs started",
        xlim=(0, END_S),
        ylim=(0, None),
    )
    axes.legend(loc="upper center", bbox_to_anchor=(0.42, 1))
    figure.tight_layout()
    figure.savefig(path)


def main(arguments: Sequence[str]) -> None:
    path = Path(arguments[0] if arguments else "fairness.png")
    with tempfile.TemporaryDirectory() as folder:
        simulation, turn_s = simulate(Path(folder))
    draw(simulation, path)
    for tenant, wait_s in waits(simulation).items():
        print(f"{tenant}: first job started {wait_s:g} s after it came")
    print(f"a turn of the dispatcher with about 1,000 jobs queued: {turn_s * 1000:.1f} ms")
    print(path)


if __name__ == "__main__":
    main(sys.argv[1:])
