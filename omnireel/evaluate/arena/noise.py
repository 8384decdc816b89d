"""How far the scores of one system lie apart when only the noise differs.

This is what a tie margin should be held against: a margin far above it calls real differences a
tie, one far below it lets chance win.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.evaluate.arena.oracle import check_scorers
from omnireel.evaluate.arena.trials import check_draws
from omnireel.evaluate.bench.families import FAMILIES, FAMILY_NAMES
from omnireel.evaluate.bench.rows import families_in, score_in
from omnireel.evaluate.bench.run import read_records
from omnireel.evaluate.bootstrap import F64, bootstrap

QUANTILES = (0.5, 0.9, 0.95)
Record = Mapping[str, Any]


def seed_noise(folders: Sequence[Path], tie_margin: float) -> dict[str, Any]:
    """Paired differences between all runs of one system, case by case, as JSON data.

    ``spread`` is the root of the mean squared difference of two runs, with its interval over cases
    (null where it is unknown); the noise of one run is that divided by the square root of 2.
    ``quantiles`` are of the absolute difference. ``same`` is the share of pairs that are a tie at
    half the margin, the margin, and twice the margin.

    Raises:
        NotFound: a folder holds no run.
        InvalidInput: fewer than two runs; not of one system with other noise each, scored alike;
            no case in common; a margin that is not above 0.

    """
    if len(folders) < 2:
        raise InvalidInput("noise shows in two runs at least: --seed 0 and --seed 1", field="runs")
    if not tie_margin > 0:
        raise InvalidInput(f"tie margin {tie_margin} is not above 0", field="tie_margin")
    check_draws(folders)
    check_scorers(folders)
    runs = [{record["id"]: record for record in read_records(folder)} for folder in folders]
    cases = sorted(set.intersection(*(set(run) for run in runs)))
    if not cases:
        raise InvalidInput("the runs have no case in common", field="runs")
    margins = [tie_margin * factor for factor in (0.5, 1.0, 2.0)]
    scores = {"score": _apart(runs, cases, lambda r: score_in(r, "score"))} | {
        family: found
        for family in FAMILIES
        if (found := _apart(runs, cases, lambda r, f=family: families_in(r, "score").get(f)))  # type: ignore[misc]
    }
    return {
        "format_version": 1,
        "runs": [str(folder) for folder in folders],
        "cases": len(cases),
        "tie_margin": tie_margin,
        "scores": {name: _told(found, margins) for name, found in scores.items()},
    }


def _apart(
    runs: Sequence[Mapping[str, Record]],
    cases: Sequence[str],
    value: Callable[[Record], float | None],
) -> list[tuple[str, float]]:
    """Case and difference, for every two runs that have an answer."""
    found = []
    for case in cases:
        for one, other in combinations([value(run[case]) for run in runs], 2):
            if one is not None and other is not None:
                found.append((case, one - other))
    return found


def _told(found: Sequence[tuple[str, float]], margins: Sequence[float]) -> dict[str, Any]:
    apart = np.abs([difference for _, difference in found])
    squares = np.stack([np.square(apart), np.ones_like(apart)], 1)
    spread = bootstrap(squares, [case for case, _ in found], _root)
    return {
        "pairs": len(found),
        "spread": spread.estimate,
        "interval": spread.bounds,
        "quantiles": {f"{q:g}": float(np.quantile(apart, q)) for q in QUANTILES},
        "same": {f"{margin:g}": float((apart <= margin).mean()) for margin in margins},
    }


def _root(sums_RD: F64) -> F64:
    out: F64 = np.sqrt(sums_RD[:, 0] / sums_RD[:, 1])
    return out


def noise_text(found: Mapping[str, Any]) -> str:
    """A few lines for a terminal."""
    lines = [f"{len(found['runs'])} runs of one system, {found['cases']} cases in common"]
    for name, told in found["scores"].items():
        label = "score" if name == "score" else FAMILY_NAMES[name]
        bounds = (
            "bounds unknown"
            if told["interval"] is None
            else "{:.3f}..{:.3f}".format(*told["interval"])
        )
        within = ", ".join(f"{float(q):.0%} {v:.3f}" for q, v in told["quantiles"].items())
        same = ", ".join(f"{share:.0%} at {margin}" for margin, share in told["same"].items())
        lines.append(
            f"{label}: spread {told['spread']:.3f} [{bounds}]; differences up to: {within}; "
            f"same: {same}"
        )
    return "\n".join(lines)
