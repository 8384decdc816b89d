"""Lengths of samples as a large generator is trained on them, drawn without rendering any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from omnireel.train.balance import SampleLength
from omnireel.train.balance.mixture import planned_length
from omnireel.types import VideoFormat
from omnireel.world.tasks.catalog import draw_plan
from omnireel.world.tasks.mix import default_weights

_PLANS_PER_CAPABILITY = 4


@dataclass(frozen=True)
class MixtureConfig:
    """Which formats and tasks occur how often. Images come from the format with one frame."""

    formats: tuple[VideoFormat, ...]
    shares: tuple[float, ...]
    weights: Mapping[str, float] = field(default_factory=default_weights)
    text_tokens: tuple[int, int] = (16, 96)
    """Prompts have this many tokens, from and up to."""


def large_mixture() -> MixtureConfig:
    """Images, short and long clips as a large generator is trained on them: 720p, 480p, 360p."""
    formats = {
        VideoFormat(640, 368, 1, 16.0): 0.2,
        VideoFormat(832, 480, 1, 16.0): 0.2,
        VideoFormat(1280, 720, 1, 16.0): 0.1,
        VideoFormat(640, 368, 49, 16.0): 0.2,
        VideoFormat(832, 480, 81, 16.0): 0.2,
        VideoFormat(832, 480, 161, 16.0): 0.07,
        VideoFormat(1280, 720, 81, 16.0): 0.03,
    }
    return MixtureConfig(tuple(formats), tuple(formats.values()))


def draw_lengths(config: MixtureConfig, count: int, seed: int = 0) -> list[SampleLength]:
    """Lengths of ``count`` samples: format, capability and text length are drawn independently."""
    rng = np.random.default_rng(seed)
    names = sorted(name for name, weight in config.weights.items() if weight > 0)
    weights = np.array([config.weights[name] for name in names])
    shares = np.array(config.shares)
    plans = {
        name: [draw_plan(name, n, 2.0, "train") for n in range(_PLANS_PER_CAPABILITY)]
        for name in names
    }
    chosen = rng.choice(len(names), size=count, p=weights / weights.sum())
    formats = rng.choice(len(shares), size=count, p=shares / shares.sum())
    text = rng.integers(*config.text_tokens, size=count, endpoint=True)
    which = rng.integers(_PLANS_PER_CAPABILITY, size=count)
    return [
        planned_length(plans[names[c]][p], config.formats[f], int(t))
        for c, f, t, p in zip(chosen, formats, text, which, strict=True)
    ]
