"""A mixture of capabilities, for training on all of them at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.types import VideoFormat
from omnireel.world.distribution import SceneDistribution
from omnireel.world.holdout import Split
from omnireel.world.tasks.catalog import CAPABILITIES, sample_task
from omnireel.world.tasks.sample import TaskSample

_MIX_STREAM = 0x6D69
"""Keeps the choice of the capability independent of the sample drawn with the same seed."""


def default_weights() -> dict[str, float]:
    """Text to video 30 %, first frame 10 %, all others share the rest evenly."""
    fixed = {"C20": 0.30, "C18": 0.10}
    others = [c for c in CAPABILITIES if c not in fixed]
    return fixed | dict.fromkeys(others, (1.0 - sum(fixed.values())) / len(others))


@dataclass(frozen=True)
class TaskMix:
    """Relative weights by capability; those not named do not occur. They need not sum to 1."""

    weights: Mapping[str, float] = field(default_factory=default_weights)

    def __post_init__(self) -> None:
        unknown = sorted(self.weights.keys() - set(CAPABILITIES))
        if unknown:
            raise InvalidInput(
                f"unknown capabilities {', '.join(unknown)}; use {', '.join(CAPABILITIES)}",
                field="weights",
            )
        total = sum(self.weights.values())
        if min(self.weights.values(), default=-1.0) < 0 or not (0 < total < math.inf):
            raise InvalidInput(
                "weights must be finite, none negative and at least one positive", field="weights"
            )

    def choose(self, seed: int) -> str:
        """The capability that ``seed`` stands for."""
        names = sorted(self.weights)
        weights = np.array([self.weights[name] for name in names])
        rng = np.random.default_rng((_MIX_STREAM, seed))
        return names[int(rng.choice(len(names), p=weights / weights.sum()))]


def sample_mixed(
    seed: int,
    fmt: VideoFormat,
    mix: TaskMix | None = None,
    split: Split = "train",
    scenes: SceneDistribution | None = None,
    *,
    with_mask: bool = True,
) -> TaskSample:
    """One sample of the capability that ``mix`` (default weights if None) chooses for ``seed``;
    see :func:`sample_task`."""
    if seed < 0:
        raise InvalidInput(f"seed must be at least 0, not {seed}", field="seed")
    capability = (mix or TaskMix()).choose(seed)
    return sample_task(capability, seed, fmt, split=split, scenes=scenes, with_mask=with_mask)
