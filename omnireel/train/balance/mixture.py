"""Lengths of the samples of tasks, from their plans: nothing is rendered or encoded."""

from __future__ import annotations

from collections.abc import Sequence

from omnireel.generate.conditions import latent_shape
from omnireel.generate.frames import token_grid_size
from omnireel.model.sequence import grid_tokens
from omnireel.train.balance.lengths import SampleLength
from omnireel.types import Role, VideoFormat
from omnireel.world.tasks.plan import Footage, Given, Plan, Storyboard, TargetFrame

_RESIZED_TO_TARGET = frozenset(
    {Role.SOURCE, Role.FIRST_FRAME, Role.LAST_FRAME, Role.ANNOTATION, Role.MOTION, Role.CAMERA}
)


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
