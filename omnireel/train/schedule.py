"""Learning-rate schedules as one pure function of how far the run is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from omnireel.errors import InvalidInput

ScheduleKind = Literal["constant", "linear", "cosine", "wsd"]


@dataclass(frozen=True)
class ScheduleConfig:
    """Warm-up, then ``kind``: constant, linear or cosine decay over the whole run, or "wsd"
    (warm-up, stable, decay: constant, then linear over the last ``decay_fraction``).

    ``final`` is the multiplier at the end.
    """

    kind: ScheduleKind = "wsd"
    warmup_steps: int = 100
    decay_fraction: float = 0.3
    final: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in ("constant", "linear", "cosine", "wsd"):
            raise InvalidInput(
                f"unknown schedule {self.kind!r}; use constant, linear, cosine or wsd",
                field="schedule.kind",
            )
        if self.warmup_steps < 0:
            raise InvalidInput("warmup_steps must be 0 or more", field="schedule.warmup_steps")
        if not 0 < self.decay_fraction <= 1:
            raise InvalidInput(
                "decay_fraction must be in 0 (exclusive) to 1", field="schedule.decay_fraction"
            )
        if not 0 <= self.final <= 1:
            raise InvalidInput("final must be in 0 to 1", field="schedule.final")


def multiplier(config: ScheduleConfig, step: int, progress: float) -> float:
    """Learning-rate multiplier in 0..1 of the 0-based ``step``; ``progress`` in 0..1 of the run."""
    warm = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    progress = min(max(progress, 0.0), 1.0)
    match config.kind:
        case "constant":
            decay = 1.0
        case "linear":
            decay = 1.0 - progress
        case "cosine":
            decay = 0.5 * (1.0 + math.cos(math.pi * progress))
        case "wsd":
            decay = min(1.0, (1.0 - progress) / config.decay_fraction)
    return warm * (config.final + (1.0 - config.final) * decay)
