"""From a plan to a sample: render the target, render each condition once, parse the prompts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from omnireel.mvl import Element, Input, Prompt, parse
from omnireel.types import Clip, MediaKind, Role, VideoFormat
from omnireel.world.render import render_clip, render_image
from omnireel.world.scene import Scene
from omnireel.world.tasks.plan import Given, Picture, Plan, Shot, TargetFrame
from omnireel.world.tasks.sample import TaskSample
from omnireel.world.truth import render_truth


def realise(plan: Plan, capability: str, seed: int, fmt: VideoFormat) -> TaskSample:
    """Renders ``plan``; equal arguments give equal bytes."""
    target = Clip(render_clip(plan.scene, fmt), fps=fmt.fps)
    media = {
        given.name: tuple(_render(shot, target, fmt) for shot in given.shots)
        for given in plan.given
    }
    mask = None
    if plan.edited is not None and plan.source_scene is not None:
        source = next(media[g.name][0] for g in plan.given if g.role is Role.SOURCE)
        mask = edit_mask(source, target, (plan.source_scene, plan.scene), plan.edited)
    return TaskSample(
        capability=capability,
        seed=seed,
        prompt=_prompt(plan.text, plan.given),
        vague_prompt=_prompt(plan.vague_text, plan.given),
        media=media,
        target=target,
        scene=plan.scene,
        source_scene=plan.source_scene,
        edit_mask_THW=mask,
        left_open=plan.left_open,
    )


def edit_mask(
    source: Clip, target: Clip, scenes: tuple[Scene, Scene], edited: tuple[str, ...]
) -> npt.NDArray[np.bool_]:
    """Where the target may differ from the source, (T, H, W).

    With no ``edited`` bodies the edit is of the whole picture. Else it is where such a body is
    seen in either scene, and where the two exact renderings differ by what the body does to the
    rest: soft edges, shadows, the strokes of a style.
    """
    if not edited:
        return np.ones(target.frames_THWC.shape[:3], np.bool_)
    mask: npt.NDArray[np.bool_] = (source.frames_THWC != target.frames_THWC).any(axis=-1)
    for scene in scenes:
        seen = render_truth(scene, target.format).masks
        for body_id in edited:
            mask |= seen.get(body_id, False)
    return mask


def _render(shot: Shot, target: Clip, fmt: VideoFormat) -> Clip:
    if isinstance(shot, TargetFrame):
        index = range(len(target.frames_THWC))[shot.index]
        return Clip(target.frames_THWC[index : index + 1], fps=fmt.fps)
    if isinstance(shot, Picture):
        side = min(fmt.width, fmt.height)
        return Clip(render_image(shot.scene, side, side, shot.time_s), fps=fmt.fps)
    return Clip(render_clip(shot.scene, fmt), fps=fmt.fps)


def _prompt(text: str, given: tuple[Given, ...]) -> Prompt:
    inputs = [Input(g.name, _kind(g), role=g.role) for g in given if g.role is not Role.ELEMENT]
    elements = [Element(g.name) for g in given if g.role is Role.ELEMENT]
    return parse(text, inputs, elements)


def _kind(given: Given) -> MediaKind:
    still = isinstance(given.shots[0], Picture | TargetFrame)
    return MediaKind.IMAGE if still else MediaKind.VIDEO
