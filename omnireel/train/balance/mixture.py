"""Lengths of the mixture of tasks, from its plans and formats: nothing is rendered or encoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.generate.conditions import latent_shape
from omnireel.generate.frames import token_grid_size
from omnireel.model.sequence import grid_tokens
from omnireel.train.balance.lengths import SampleLength
from omnireel.types import Role, VideoFormat
from omnireel.world.tasks.catalog import draw_plan
from omnireel.world.tasks.mix import TaskMix, default_weights
from omnireel.world.tasks.plan import Footage, Given, Plan, Storyboard, TargetFrame

_RESIZED_TO_TARGET = frozenset(
    {Role.SOURCE, Role.FIRST_FRAME, Role.LAST_FRAME, Role.ANNOTATION, Role.MOTION, Role.CAMERA}
)
_PLANS_PER_CAPABILITY = 4


@dataclass(frozen=True)
class MixtureConfig:
    """Which formats and tasks occur how often. Images come from the format with one frame."""

    formats: tuple[VideoFormat, ...]
    shares: tuple[float, ...]
    weights: Mapping[str, float] = field(default_factory=default_weights)
    text_tokens: tuple[int, int] = (16, 96)
    """Prompts have this many tokens, from and up to."""

    def __post_init__(self) -> None:
        if len(self.formats) != len(self.shares) or min(self.shares, default=0) <= 0:
            raise InvalidInput("shares needs one positive number per format", field="shares")
        TaskMix(self.weights)


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


def planned_length(plan: Plan, fmt: VideoFormat, text_tokens: int) -> SampleLength:
    """Token counts that a task's sample will have in ``fmt`` once it is encoded."""
    conditions = sum(grid_tokens(shape) for _, shape in planned_segments(plan, fmt))
    return SampleLength(text_tokens + conditions, grid_tokens(latent_shape(fmt)))


def planned_segments(plan: Plan, fmt: VideoFormat) -> list[tuple[Role, tuple[int, int, int]]]:
    """Role and latent (T, H, W) of every visual condition of a task in ``fmt``."""
    return [
        (given.role, _shot_shape(shot, given.role, fmt))
        for given in plan.given
        for shot in _shots(given)
    ]


def _shots(given: Given) -> Sequence[object]:
    # An element is shown by all its pictures, any other input by its one medium.
    return given.shots if given.role is Role.ELEMENT else given.shots[:1]


def _shot_shape(shot: object, role: Role, fmt: VideoFormat) -> tuple[int, int, int]:
    t, h, w = latent_shape(fmt)
    frames = t if isinstance(shot, Footage) else 1
    wide = isinstance(shot, Footage | TargetFrame | Storyboard)
    if role in _RESIZED_TO_TARGET:
        return frames, h, w
    side = min(fmt.width, fmt.height)
    height, width = token_grid_size(*((fmt.height, fmt.width) if wide else (side, side)), side)
    return latent_shape(VideoFormat(width, height, 1 + 4 * (frames - 1), fmt.fps))
