"""Good / same / bad comparison of two systems, GSB = (G + S) / (S + B).

GSB is 1 when the two are equal, above 1 when the first is better; it is infinite when the first
never loses and never ties. Always read it with its counts and its interval.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.evaluate.bootstrap import F64, BootstrapConfig, Interval, bootstrap


class Verdict(StrEnum):
    """How the first of two results compares with the second."""

    GOOD = "good"
    SAME = "same"
    BAD = "bad"


@dataclass(frozen=True)
class Comparison:
    """Counts over all trials, GSB and its prompt-clustered bootstrap interval."""

    good: int
    same: int
    bad: int
    gsb: Interval


def verdict(first: float, second: float, tie_margin: float) -> Verdict:
    """Compare two scores (higher is better); within ``tie_margin`` they are the same.

    Raises:
        InvalidInput: a negative margin, or a score that is no number.
    """
    if tie_margin < 0:
        raise InvalidInput(f"tie margin {tie_margin} is negative", field="tie_margin")
    if np.isnan(first) or np.isnan(second):
        raise InvalidInput("a score is not a number", field="scores")
    if first == second or abs(first - second) <= tie_margin:
        return Verdict.SAME
    return Verdict.GOOD if first > second else Verdict.BAD


def gsb(good: float, same: float, bad: float) -> float:
    """(G + S) / (S + B); infinite for only good verdicts, NaN for none at all."""
    return float(_gsb(np.array([[good, same, bad]], np.float64))[0])


def compare(
    verdicts: Sequence[Verdict],
    prompts: Sequence[Hashable],
    config: BootstrapConfig | None = None,
) -> Comparison:
    """Count verdicts and bound GSB by resampling whole prompts.

    Args:
        verdicts: one per trial.
        prompts: the prompt (or case) that each trial belongs to; trials that share one are not
            independent, so they are drawn together.
        config: resamples, level and seed.

    Raises:
        InvalidInput: no trials, or lengths that differ.
    """
    order = (Verdict.GOOD, Verdict.SAME, Verdict.BAD)
    rows = np.asarray([[v is o for o in order] for v in verdicts], np.float64).reshape(-1, 3)
    interval = bootstrap(rows, prompts, _gsb, config)
    good, same, bad = (int(n) for n in rows.sum(0))
    return Comparison(good, same, bad, interval)


def compare_scores(
    first: Sequence[float],
    second: Sequence[float],
    prompts: Sequence[Hashable],
    *,
    tie_margin: float,
    config: BootstrapConfig | None = None,
) -> Comparison:
    """GSB of two lists of scores, trial by trial."""
    if len(first) != len(second):
        raise InvalidInput(
            f"{len(first)} scores against {len(second)}; compare trial by trial", field="scores"
        )
    pairs = zip(first, second, strict=True)
    return compare([verdict(a, b, tie_margin) for a, b in pairs], prompts, config)


def _gsb(counts_R3: F64) -> F64:
    good, same, bad = counts_R3.T
    with np.errstate(divide="ignore", invalid="ignore"):
        out: F64 = (good + same) / (same + bad)
    return out
