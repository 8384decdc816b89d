"""How likely each kind of scene is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from omnireel.errors import InvalidInput


@dataclass(frozen=True)
class SceneDistribution:
    """Probabilities of :func:`sample_scene`; every remaining choice is uniform."""

    two_bodies: float = 0.30
    character: float = 0.35
    prop: float = 0.40
    """Chance that a character wears one prop."""
    small: float = 0.10
    large: float = 0.30
    """Chance of a large subject when its motion leaves the room for it."""
    textured: float = 0.30
    other_weather: float = 0.25
    other_style: float = 0.15
    moving_camera: float = 0.30
    effect: float = 0.05
    slow: float = 0.10
    fast: float = 0.10
    second_still: float = 0.50
    """Chance that the second body stands still; else it jumps or spins."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0.0 <= value <= 1.0:
                raise InvalidInput(f"{name} must be a probability in 0..1, not {value}", field=name)


CLEAR_SCENES = SceneDistribution(
    two_bodies=0.15, prop=0.25, small=0.05, large=0.4, textured=0.2, other_weather=0.15,
    other_style=0.1, moving_camera=0.1, effect=0.0, slow=0.05, fast=0.05,
)  # fmt: skip
"""Scenes that show what the words of a prompt look like, mostly one thing at a time."""


def pick(rng: np.random.Generator, options: Sequence[str]) -> str:
    """One of ``options``, uniformly."""
    return options[int(rng.integers(len(options)))]
