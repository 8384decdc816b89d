"""What stages have cost: measured when they finish, asked for when somebody wants to know how long.

A cost is seconds per unit, a unit being a denoising step (or the whole stage, where it has none).
It depends on the model and on the format, so only measurements of the same two are comparable;
where there is none, the answer is that nobody knows.
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
    """One measurement: ``seconds`` for ``units`` steps."""

    key: CostKey
    units: float
    seconds: float


@dataclass(frozen=True)
class CostTable:
    """Median seconds per unit, and the version of each stage's model that was measured last."""

    per_unit: Mapping[CostKey, float]
    newest_version: Mapping[Stage, str]

    def seconds(self, stage: Stage, version: str, fmt: str, units: float) -> float | None:
        """What ``units`` should take; None when nothing comparable was measured.

        An empty ``version`` stands for the one that was measured last.
        """
        version = version or self.newest_version.get(stage, "")
        per_unit = self.per_unit.get(CostKey(stage, version, fmt))
        return None if per_unit is None else per_unit * units


def add_cost(connection: Connection, cost: StageCost, now: float) -> None:
    """Keep a measurement, and drop the oldest beyond :data:`KEPT` of its kind."""
    key = {
        "stage": cost.key.stage.value,
        "model_version": cost.key.model_version,
        "format": cost.key.format,
    }
    connection.execute(
        insert(stage_costs).values(**key, units=cost.units, seconds=cost.seconds, measured_at=now)
    )
    same = [stage_costs.c[name] == value for name, value in key.items()]
    newest = select(stage_costs.c.id).where(*same).order_by(stage_costs.c.id.desc())
    oldest_kept = connection.execute(newest.offset(KEPT - 1).limit(1)).scalar_one_or_none()
    if oldest_kept is not None:
        connection.execute(delete(stage_costs).where(*same, stage_costs.c.id < oldest_kept))


def cost_table(connection: Connection) -> CostTable:
    """All that was measured, by medians: one slow job does not move them."""
    found: dict[CostKey, list[float]] = {}
    newest: dict[Stage, str] = {}
    for row in connection.execute(select(stage_costs).order_by(stage_costs.c.id)):
        key = CostKey(Stage(row.stage), row.model_version, row.format)
        found.setdefault(key, []).append(row.seconds / row.units)
        newest[key.stage] = key.model_version
    return CostTable({key: statistics.median(each) for key, each in found.items()}, newest)
