"""What stages have cost: measured when they finish, asked for when somebody wants to know how long.

A cost is seconds per unit, a unit being a network evaluation of a denoising loop (or the whole
stage, where it has none), and the seconds that a stage takes however many units it has. It depends
on the model and on the format, so only measurements of the same two are comparable; where there is
none, the answer is that nobody knows.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from services.common.jobs.job import Stage
from services.common.jobs.schema import stage_costs

KEPT = 32
"""Measurements kept of each kind: enough for a median, few enough to follow a new machine."""


@dataclass(frozen=True)
class CostKey:
    """What makes two measurements comparable. ``format`` is ``64x64x17``, or empty."""

    stage: Stage
    model_version: str
    format: str


@dataclass(frozen=True)
class StageCost:
    """One measurement: ``seconds`` for ``units``, and ``fixed_s`` before and after them."""

    key: CostKey
    units: float
    seconds: float
    fixed_s: float = 0.0


@dataclass(frozen=True)
class StageTime:
    """What a stage should take: its units together, and what comes before and after them."""

    units_s: float
    fixed_s: float = 0.0

    @property
    def total_s(self) -> float:
        """Both."""
        return self.units_s + self.fixed_s


@dataclass(frozen=True)
class CostTable:
    """Median time of one unit, and the version of each stage's model that was measured last."""

    per_unit: Mapping[CostKey, StageTime]
    newest_version: Mapping[Stage, str]

    def time(self, stage: Stage, version: str, fmt: str, units: float) -> StageTime | None:
        """What ``units`` should take; None when nothing comparable was measured.

        An empty ``version`` stands for the one that was measured last.
        """
        version = version or self.newest_version.get(stage, "")
        one = self.per_unit.get(CostKey(stage, version, fmt))
        return None if one is None else StageTime(one.units_s * units, one.fixed_s)


def add_cost(connection: Connection, cost: StageCost, now: float) -> None:
    """Keep a measurement, and drop the oldest beyond :data:`KEPT` of its kind."""
    key = {
        "stage": cost.key.stage.value,
        "model_version": cost.key.model_version,
        "format": cost.key.format,
    }
    connection.execute(
        insert(stage_costs).values(
            **key,
            units=cost.units,
            seconds=cost.seconds,
            fixed_seconds=cost.fixed_s,
            measured_at=now,
        )
    )
    same = [stage_costs.c[name] == value for name, value in key.items()]
    newest = select(stage_costs.c.id).where(*same).order_by(stage_costs.c.id.desc())
    oldest_kept = connection.execute(newest.offset(KEPT - 1).limit(1)).scalar_one_or_none()
    if oldest_kept is not None:
        connection.execute(delete(stage_costs).where(*same, stage_costs.c.id < oldest_kept))


def cost_table(connection: Connection) -> CostTable:
    """All that was measured, by medians: one slow job does not move them."""
    found: dict[CostKey, list[StageTime]] = {}
    newest: dict[Stage, str] = {}
    for row in connection.execute(select(stage_costs).order_by(stage_costs.c.id)):
        key = CostKey(Stage(row.stage), row.model_version, row.format)
        one = StageTime(row.seconds / row.units, row.fixed_seconds)
        found.setdefault(key, []).append(one)
        newest[key.stage] = key.model_version
    return CostTable({key: _median(times) for key, times in found.items()}, newest)


def _median(times: list[StageTime]) -> StageTime:
    return StageTime(
        statistics.median(each.units_s for each in times),
        statistics.median(each.fixed_s for each in times),
    )
