"""A plan as text, and as values for machines and for the chart."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from omnireel.capacity.measurements import Measurements
from omnireel.capacity.plan import DAY_S, HOUR_S, Demand, Prediction, storage
from omnireel.capacity.simulation import Simulated
from omnireel.errors import InvalidInput

_CHART_NAMES = {
    "prompt_enhancer": "promptEnhancer",
    "generator": "generator",
    "super_resolver": "superResolver",
}
_DAYS_A_MONTH = 30


@dataclass(frozen=True)
class Prices:
    """Money for an hour of one replica of a model service, and for a GB of storage a month."""

    device_hour: float = 0.0
    gb_month: float = 0.0

    def __post_init__(self) -> None:
        if self.device_hour < 0 or self.gb_month < 0:
            raise InvalidInput("a price must not be negative", field="--price")


@dataclass(frozen=True)
class PlanReport:
    """What was asked, chosen and found."""

    measured: Measurements
    demand: Demand
    plan: Prediction
    simulated: Simulated
    prices: Prices = Prices()

    @property
    def gateways(self) -> int:
        """Two, so that one may go away, or as many as take the jobs in at half their limit."""
        most = self.measured.creates_per_s
        return max(2, math.ceil(self.demand.rate / (most / 2))) if most else 2

    @property
    def device_hours(self) -> float:
        """Of all replicas of model services in a month of 30 days."""
        return sum(self.plan.installation.replicas.values()) * 24 * _DAYS_A_MONTH

    @property
    def money(self) -> dict[str, float]:
        """For a month, of what has a price."""
        kept = storage(self.measured, self.demand)
        costs = {
            "devices": self.device_hours * self.prices.device_hour,
            "storage": (kept.videos + kept.artefacts) / 1e9 * self.prices.gb_month,
        }
        return {name: cost for name, cost in costs.items() if cost}

    def text(self) -> str:
        """For people."""
        found, demand = self.plan, self.demand
        lines = [
            f"{demand.jobs_per_hour:g} jobs an hour on {self.measured.device}: "
            f"{self.measured.model}",
            "",
            _row("", "replicas", "busy", "wait, mean"),
            *(
                _row(name, str(count), f"{found.busy[name]:.0%}", _time(found.waits[name].mean_s))
                for name, count in found.installation.replicas.items()
            ),
            _row(
                "worker", f"{found.installation.workers} x {found.installation.slots}",
                f"{found.busy['slots']:.0%}", _time(found.waits["queue"].mean_s),
            ),
            _row("gateway", str(self.gateways), "", ""),
            "",
            _row("", "formula", "simulated", ""),
        ]  # fmt: skip
        lines += [_row(name, *cells, "") for name, cells in self._checked()]
        lines += ["", *self._kept(), "", f"Measured: {self.measured.source}."]
        return "\n".join(line.rstrip() for line in lines)

    def values(self) -> dict[str, Any]:
        """For machines; ``chart`` are values of charts/omnireel."""
        installation = self.plan.installation
        kept = storage(self.measured, self.demand)
        chart = {_CHART_NAMES[n]: {"replicas": c} for n, c in installation.replicas.items()}
        chart["worker"] = {"replicas": installation.workers, "slots": installation.slots}
        chart["gateway"] = {"replicas": self.gateways}
        return {
            "demand": asdict(self.demand),
            "device": self.measured.device,
            "source": self.measured.source,
            "chart": chart,
            "busy": dict(self.plan.busy),
            "formula": {
                "wait_s": self.plan.wait_s,
                "wait_quantile_s": self.plan.wait_quantile_s(self.demand.share),
                "total_s": self.plan.total_s,
                "queued": self._queued,
            },
            "simulated": {
                "wait_s": self.simulated.wait_s,
                "wait_quantile_s": self.simulated.wait_quantile_s(self.demand.share),
                "total_s": self.simulated.total_s,
                "queued": self.simulated.queued,
                "jobs": len(self.simulated.waits_s),
            },
            "storage_bytes": asdict(kept),
            "device_hours_a_month": self.device_hours,
            "money_a_month": self.money,
        }

    @property
    def _queued(self) -> float:
        return self.demand.rate * self.plan.waits["queue"].mean_s  # Little's law

    def _checked(self) -> list[tuple[str, tuple[str, str]]]:
        found, played, share = self.plan, self.simulated, self.demand.share
        return [
            ("waiting, mean", (_time(found.wait_s), _time(played.wait_s))),
            (
                f"waiting, {share:.0%} below",
                (_time(found.wait_quantile_s(share)), _time(played.wait_quantile_s(share))),
            ),
            ("until the video, mean", (_time(found.total_s), _time(played.total_s))),
            ("jobs in the queue, mean", (f"{self._queued:.2f}", f"{played.queued:.2f}")),
        ]

    def _kept(self) -> list[str]:
        kept, demand = storage(self.measured, self.demand), self.demand
        lines = []
        if kept.videos:
            lines.append(
                f"Storage: {_bytes(kept.videos)} of videos ({demand.keep_days:g} days, "
                f"{demand.hours_a_day:g} h a day)"
                + (
                    f", {_bytes(kept.artefacts)} of latents and previews "
                    f"({demand.artefact_hours:g} h)."
                    if kept.artefacts
                    else "; the measurements say nothing of latents and previews."
                )
            )
        else:
            lines.append("Storage: the measurements say nothing of it (video_bytes).")
        cost = ", ".join(f"{money:,.2f} for {name}" for name, money in self.money.items())
        lines.append(
            f"Cost: {self.device_hours:,.0f} hours of {self.measured.device} a month"
            + (f"; {cost}." if cost else "; --price says what they cost.")
        )
        return lines


def _row(*cells: str) -> str:
    return "  ".join(cell.ljust(w) for cell, w in zip(cells, (24, 12, 12, 10), strict=True))


def _time(seconds: float) -> str:
    if math.isinf(seconds):
        return "no end"
    if seconds >= DAY_S:
        return f"{seconds / DAY_S:.1f} days"
    if seconds >= HOUR_S:
        return f"{seconds / HOUR_S:.1f} h"
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1e3:.0f} ms"


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} PB"
