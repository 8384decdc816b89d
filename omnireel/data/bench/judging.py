"""From scores to precision, recall and ROC, with intervals; and the choice of thresholds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnireel.data.bench.run import Row
from omnireel.data.checks import Bounds

F64 = npt.NDArray[np.float64]
RESAMPLES = 400
DIGITS = 3
"""Significant digits of a chosen threshold."""


@dataclass(frozen=True)
class Interval:
    """A value and the range that 95 of 100 bootstrap samples (of the sources) fall into."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.2f}-{self.high:.2f})"


@dataclass(frozen=True)
class Judgement:
    """One check against the truth. Precision is that of as many bad clips as good ones."""

    check: str
    bounds: Bounds
    good: int
    bad: int
    precision: Interval
    recall: Interval
    auc: float
    roc: tuple[tuple[float, float], ...]
    """(share of the good rejected, share of the bad rejected), for every threshold."""
    by_case: dict[str, tuple[int, int]]
    """Of each case that the check is about: how many clips, how many of them rejected."""
    good_scores: tuple[float, ...]
    bad_scores: tuple[float, ...]


def about(rows: Iterable[Row], check: str) -> list[Row]:
    """The rows that count for a check: good clips, and its own cases."""
    return [row for row in rows if row.check == check or (not row.check and not row.bad)]


def judge_rows(rows: Sequence[Row], check: str, bounds: Bounds) -> Judgement:
    """How well ``bounds`` tell the bad clips of ``check`` from the good ones.

    A clip that the check does not apply to is kept: right for a good one, a miss for a bad one.
    """
    mine = about(rows, check)
    bad = np.array([row.bad for row in mine])
    scores = [row.scores[check] for row in mine]
    rejected = np.array([score is not None and score not in bounds for score in scores])
    by_case: dict[str, tuple[int, int]] = {}
    for row, out in zip(mine, rejected.tolist(), strict=True):
        count, hits = by_case.get(row.case, (0, 0))
        by_case[row.case] = (count + 1, hits + out)
    evil = badness([s for s in scores if s is not None], bounds)
    applies = np.array([s is not None for s in scores])
    full = np.full(len(mine), -np.inf)
    full[applies] = evil
    roc = roc_of(full, bad)
    source = np.array([row.source for row in mine])
    precision, recall = _with_intervals(rejected, bad, source)
    return Judgement(
        check,
        bounds,
        int((~bad).sum()),
        int(bad.sum()),
        precision,
        recall,
        float(np.trapezoid([y for _, y in roc], [x for x, _ in roc])),
        roc,
        by_case,
        tuple(s for s, b in zip(scores, bad, strict=True) if s is not None and not b),
        tuple(s for s, b in zip(scores, bad, strict=True) if s is not None and b),
    )


def badness(scores: Sequence[float], bounds: Bounds) -> F64:
    """Scores turned so that more is worse; between two bounds, the farther beyond one of them."""
    values = np.asarray(scores, np.float64)
    if bounds.low == -np.inf:
        return values
    return (
        -values if bounds.high == np.inf else np.maximum(bounds.low - values, values - bounds.high)
    )


def roc_of(evil: F64, bad: npt.NDArray[np.bool_]) -> tuple[tuple[float, float], ...]:
    """Points of the ROC curve from (0, 0) to (1, 1)."""
    points = [(0.0, 0.0)]
    for threshold in np.unique(evil)[::-1]:
        out = evil >= threshold
        points.append((float(out[~bad].mean()), float(out[bad].mean())))
    return (*points, (1.0, 1.0))


def choose(rows: Sequence[Row], check: str, bounds: Bounds) -> Bounds:
    """The threshold in the middle of those that tell best (greatest recall minus false alarms)."""
    mine = [row for row in about(rows, check) if row.scores[check] is not None]
    bad = np.array([row.bad for row in mine])
    evil = badness([row.scores[check] or 0.0 for row in mine], bounds)
    values = np.unique(evil)
    middles = (values[1:] + values[:-1]) / 2
    gain = np.array([(evil[bad] > m).mean() - (evil[~bad] > m).mean() for m in middles])
    best = np.flatnonzero(gain >= gain.max() - 1e-9)
    # The widest gap among the best: the most room for clips that are not in the bench.
    widest = best[np.argmax((values[1:] - values[:-1])[best])]
    value = float(f"{middles[widest]:.{DIGITS}g}")
    return Bounds(low=-value) if bounds.high == np.inf else Bounds(high=value)


def confusion(rows: Sequence[Row], table: dict[str, Bounds]) -> dict[str, dict[str, float]]:
    """By what a clip is bad for (and "good"): the share that each check rejects."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.bad or not row.check:
            groups.setdefault(row.check or "good", []).append(row)
    return {
        name: {
            check: float(
                np.mean([(s := r.scores[check]) is not None and s not in bounds for r in group])
            )
            for check, bounds in table.items()
        }
        for name, group in groups.items()
    }


def _with_intervals(
    rejected: npt.NDArray[np.bool_], bad: npt.NDArray[np.bool_], source: npt.NDArray[np.int_]
) -> tuple[Interval, Interval]:
    rng = np.random.default_rng(0)
    names = np.unique(source)
    members = [np.flatnonzero(source == name) for name in names]
    drawn = []
    for _ in range(RESAMPLES):
        chosen = rng.integers(0, len(names), len(names))
        index = np.concatenate([members[i] for i in chosen])
        if bad[index].any() and not bad[index].all():
            drawn.append(_precision_recall(rejected[index], bad[index]))
    low, high = np.percentile(np.array(drawn), [2.5, 97.5], axis=0)
    precision, recall = _precision_recall(rejected, bad)
    return (
        Interval(precision, float(low[0]), float(high[0])),
        Interval(recall, float(low[1]), float(high[1])),
    )


def _precision_recall(
    rejected: npt.NDArray[np.bool_], bad: npt.NDArray[np.bool_]
) -> tuple[float, float]:
    recall, alarms = float(rejected[bad].mean()), float(rejected[~bad].mean())
    return (recall / (recall + alarms) if recall + alarms else 1.0), recall
