"""From records of cases to one row for each capability: score, floor, ceiling, interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from omnireel.evaluate.bench.case_run import COLUMNS
from omnireel.evaluate.bench.families import (
    FAMILIES,
    Family,
    bench_oracles,
    case_score,
    family_of,
    family_scores,
)
from omnireel.evaluate.bootstrap import (
    F64,
    BootstrapConfig,
    Interval,
    mean_interval,
    percentiles,
    resampled,
)

Record = Mapping[str, Any]
Answers = dict[str, float | None]


def rows_of(records: Sequence[Record]) -> list[dict[str, Any]]:
    """One row for each capability that has records, in the order of the table.

    ``score`` with its 95 % ``interval``, ``floor`` and ``ceiling`` are means over cases with
    combinations as in training; ``held_out`` over those that training never shows. ``span`` is
    where the score lies between floor (0) and ceiling (1). The intervals of spans are of score,
    floor and ceiling together, because they share their cases. None where there is no such case,
    and for the interval of a single one.
    """
    names = sorted({r["capability"] for r in records}, key=lambda name: int(name[1:]))
    return [_row(name, [r for r in records if r["capability"] == name]) for name in names]


def _row(capability: str, records: Sequence[Record]) -> dict[str, Any]:
    held_in = [r for r in records if r["split"] == "train"]
    held_out = [r for r in records if r["split"] == "held_out"]
    return {
        "id": capability,
        "trained": records[0]["trained"],
        "cases": len(records),
        **_columns(held_in, score_in),
        "span_interval": span_interval([held_in]),
        "held_out": (outside := _columns(held_out, score_in))["score"],
        "held_out_interval": outside["interval"],
        "held_out_span": outside["span"],
        "held_out_span_interval": span_interval([held_out]),
        "families": {
            family: _columns(held_in, _family_value(family))
            for family in FAMILIES
            if any(family in families_in(r, "score") for r in held_in)
        },
        "oracles": [_oracle(capability, oracle, held_in) for oracle in bench_oracles(capability)],
    }


def _oracle(capability: str, oracle: Any, records: Sequence[Record]) -> dict[str, Any]:
    return {
        "name": oracle.name,
        "meaning": oracle.meaning,
        "unit": oracle.unit,
        "family": family_of(capability, oracle.name),
        **_columns(records, lambda r, c: answers_in(r, c).get(oracle.name)),
    }


def _family_value(family: Family) -> Callable[[Record, str], float | None]:
    return lambda record, column: families_in(record, column).get(family)


def answers_in(record: Record, column: str) -> Answers:
    """Answers by oracle in one column."""
    return {name: found[column] for name, found in record["answers"].items()}


def families_in(record: Record, column: str) -> dict[Family, float]:
    """The families of a case in one column, 0..1."""
    return family_scores(record["capability"], answers_in(record, column))


def score_in(record: Record, column: str) -> float:
    """A case's one number in one column."""
    return case_score(record["capability"], answers_in(record, column))


def _columns(
    records: Sequence[Record], value: Callable[[Record, str], float | None]
) -> dict[str, Any]:
    means: dict[str, Any] = {}
    for column in COLUMNS:
        found = [v for r in records if (v := value(r, column)) is not None]
        interval = mean_interval(found) if found else None
        means[column] = interval and round(interval.estimate, 4)
        if column == "score":
            means["interval"] = interval and _bounds(interval)
    return {**means, "span": span(means["score"], means["floor"], means["ceiling"])}


def _bounds(interval: Interval) -> list[float] | None:
    return interval.bounds and [round(bound, 4) for bound in interval.bounds]


def span(score: float | None, floor: float | None, ceiling: float | None) -> float | None:
    """Where a score lies between floor and ceiling; None where these do not differ."""
    if score is None or floor is None or ceiling is None or ceiling - floor < 1e-3:
        return None
    return round((score - floor) / (ceiling - floor), 4)


def span_interval(rows: Sequence[Sequence[Record]]) -> list[float] | None:
    """95 % bounds of the mean span of rows, each given by the records of its cases; every row's
    cases are drawn by themselves. None: a row has fewer than two, or no span."""
    config = BootstrapConfig()
    means_R = np.zeros(config.resamples)
    for number, records in enumerate(rows):
        cases = [tuple(score_in(r, c) for c in ("score", "floor", "ceiling")) for r in records]
        if len(cases) < 2:
            return None
        drawn = replace(config, seed=number)
        means_R += resampled(cases, range(len(cases)), _spans, drawn)[1] / len(rows)
    low, high = percentiles(means_R[~np.isnan(means_R)], config)
    return None if math.isnan(low) else [round(low, 4), round(high, 4)]


def _spans(sums_RD: F64) -> F64:
    score, floor, ceiling = sums_RD.T
    with np.errstate(divide="ignore", invalid="ignore"):
        found: F64 = (score - floor) / (ceiling - floor)
    return found


def summary_of(records: Sequence[Record], manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that ``results.json`` says but the cases."""
    rows = rows_of(records)
    costs = [r["cost"] for r in records]
    spans = [row["span"] for row in rows if row["span"] is not None]
    return {
        "format_version": 1,
        **manifest,
        "cases": len(records),
        "evaluations": _mean([r["evaluations"] for r in records]),
        "cpu_s": {k: round(sum(c[k] for c in costs), 1) for k in (costs[0] if costs else ())},
        "mean": {
            "score": _mean([row["score"] for row in rows if row["score"] is not None]),
            "span": _mean(spans),
            "span_interval": span_interval(
                [
                    [r for r in records if (r["capability"], r["split"]) == (row["id"], "train")]
                    for row in rows
                    if row["span"] is not None
                ]
            ),
        },
        "rows": rows,
        **({"stated": found} if (found := stated_in(records)) else {}),
    }


def stated_in(records: Sequence[Record]) -> dict[str, Any] | None:
    """Share of the facts that careless words state which results show, over all cases; with the
    other columns, the interval of the score (drawn by case; None for one case), and how many facts.
    None: there are no such words."""
    facts = [
        (record["id"], found)
        for record in records
        for name in record.get("stated", ())
        if (found := record["answers"].get(name)) and found["score"] is not None
    ]
    if not facts:
        return None
    means = {c: _mean([f[c] for _, f in facts if f[c] is not None]) for c in COLUMNS}
    score = mean_interval([found["score"] for _, found in facts], [case for case, _ in facts])
    return {
        "facts": len(facts),
        **means,
        "interval": _bounds(score),
        "span": span(means["score"], means["floor"], means["ceiling"]),
    }


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None
