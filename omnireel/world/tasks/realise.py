"""From a plan to a sample: render the target, render each condition once, parse the prompts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from omnireel.mvl import Element, Input, Prompt, parse
from omnireel.types import Clip, MediaKind, Role, VideoFormat
from omnireel.world.render import render_clip, render_image
from omnireel.world.scene import Scene
from omnireel.world.tasks.film import draw, film, matte, panel_frames
from omnireel.world.tasks.plan import (
    Footage,
    Given,
    Marked,
    Picture,
    Plan,
    Shot,
    Sketch,
    Storyboard,
    TargetFrame,
)
from omnireel.world.tasks.sample import TaskSample
from omnireel.world.truth import MASK_SHARE, render_truth


def realise(
    plan: Plan, capability: str, seed: int, fmt: VideoFormat, *, with_mask: bool = True
) -> TaskSample:
    """Renders ``plan``; equal arguments give equal bytes. The mask of an edit takes two more
    renderings, which who does not need it is spared without ``with_mask``."""
    subject: npt.NDArray[np.bool_] | None = None
    if plan.matte is None:
        target = Clip(film(plan, fmt), fps=fmt.fps)
    else:
        frames, coverage = matte(plan, plan.matte, fmt)
        target, subject = Clip(frames, fps=fmt.fps), coverage > MASK_SHARE
    media = {
        given.name: tuple(_render(shot, plan, target, fmt) for shot in given.shots)
        for given in plan.given
    }
    mask = None
    if with_mask and plan.edited is not None and plan.source_scene is not None:
        source = next(media[g.name][0] for g in plan.given if g.role is Role.SOURCE)
        mask = edit_mask(source, target, (plan.source_scene, plan.scene), plan.edited)
        if subject is not None:  # outside the subject everything is new
            mask = (source.frames_THWC != target.frames_THWC).any(axis=-1) | ~subject
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
        cuts=plan.cuts,
        matte_THW=subject,
        panels=_panels(plan, fmt),
        solution=_prompt(plan.solution, plan.given) if plan.solution else None,
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


def _panels(plan: Plan, fmt: VideoFormat) -> tuple[int, ...]:
    boards = [s for given in plan.given for s in given.shots if isinstance(s, Storyboard)]
    return panel_frames(boards[0].side, fmt.num_frames) if boards else ()


def _render(shot: Shot, plan: Plan, target: Clip, fmt: VideoFormat) -> Clip:
    if isinstance(shot, Storyboard | Marked | Sketch):
        return Clip(draw(shot, plan, fmt), fps=fmt.fps)
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
    moving = isinstance(given.shots[0], Footage)
    return MediaKind.VIDEO if moving else MediaKind.IMAGE
