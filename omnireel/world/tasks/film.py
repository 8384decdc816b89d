"""The target of a plan, all of it or single frames at any size, and the pictures drawn from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from omnireel.types import Frames, VideoFormat
from omnireel.world.drawings import draw_arrow, draw_box, sketch
from omnireel.world.matte import cut_out
from omnireel.world.palette import F32, albedo
from omnireel.world.render import frame_times, render_clip, render_image, render_times
from omnireel.world.scene import Scene
from omnireel.world.tasks.plan import Marked, Matte, Plan, Sketch, Storyboard
from omnireel.world.truth import render_truth

Drawn = Storyboard | Marked | Sketch
BOX_MARGIN = 0.04
"""Space between a body and the box around it, in short sides."""


def film(plan: Plan, fmt: VideoFormat) -> Frames:
    """The whole target of a plan without a matte."""
    if not plan.cuts:
        return render_clip(plan.scene, fmt)
    return film_frames(plan, fmt, range(fmt.num_frames), (fmt.width, fmt.height))


def film_frames(
    plan: Plan, fmt: VideoFormat, indices: Sequence[int], size: tuple[int, int]
) -> Frames:
    """The frames ``indices`` of the target in ``fmt``, in another size (width, height)."""
    scenes = (plan.scene, *plan.cuts)
    times = frame_times(fmt)
    shown = [scenes[scene_at(i, len(scenes), fmt.num_frames)] for i in indices]
    out = np.empty((len(indices), size[1], size[0], 3), np.uint8)
    for scene in dict.fromkeys(shown):
        own = [k for k, other in enumerate(shown) if other == scene]
        out[own] = render_times(scene, *size, times[[indices[k] for k in own]])
    return out


def scene_at(index: int, scenes: int, num_frames: int) -> int:
    """Which of ``scenes`` with equal shares a frame shows."""
    return index * scenes // num_frames


def panel_frames(side: int, num_frames: int) -> tuple[int, ...]:
    """The frames in the middle of ``side * side`` equal parts of a clip."""
    count = side * side
    return tuple((2 * k + 1) * num_frames // (2 * count) for k in range(count))


def matte(plan: Plan, what: Matte, fmt: VideoFormat) -> tuple[Frames, F32]:
    """The target of a plan with a matte, and the coverage of its bodies."""
    if what.ground:
        return cut_out(plan.scene, fmt, what.bodies, albedo(what.ground))
    _, coverage = cut_out(plan.scene, fmt, what.bodies, np.zeros(3, np.float32))
    gray = (coverage * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    return np.repeat(gray[..., None], 3, -1), coverage


def draw(shot: Drawn, plan: Plan, fmt: VideoFormat) -> Frames:
    """The picture (1, H, W, 3) of a drawn condition."""
    if isinstance(shot, Sketch):
        return sketch(shot.scene, fmt.width, fmt.height, 0.0, filled=shot.filled)
    if isinstance(shot, Storyboard):
        return _storyboard(shot.side, plan, fmt)
    frame = render_image(shot.scene, fmt.width, fmt.height)[0]
    for body_id in shot.boxes:
        frame = draw_box(frame, first_box(plan.scene, fmt, body_id))
    for body_id in shot.arrows:
        center = render_truth(plan.scene, fmt).tracks[body_id].center_T2
        start, end = (_inside(center[i], fmt) for i in (0, -1))
        frame = draw_arrow(frame, start, end)
    whole: Frames = frame[None]
    return whole


def _storyboard(side: int, plan: Plan, fmt: VideoFormat) -> Frames:
    """Panels from left to right and from top to bottom; what is left over stays white."""
    width, height = fmt.width // side, fmt.height // side
    panels = film_frames(plan, fmt, panel_frames(side, fmt.num_frames), (width, height))
    out = np.full((1, fmt.height, fmt.width, 3), 255, np.uint8)
    for k, panel in enumerate(panels):
        top, left = k // side * height, k % side * width
        out[0, top : top + height, left : left + width] = panel
    return out


def first_box(scene: Scene, fmt: VideoFormat, body_id: str) -> tuple[float, float, float, float]:
    """The box (left, top, right, bottom) about a body in the first frame, a little larger.

    What hides the body does not cut its box.
    """
    first = VideoFormat(fmt.width, fmt.height, 1, fmt.fps)
    alone = replace(scene, bodies=tuple(b for b in scene.bodies if b.id == body_id))
    mask = render_truth(alone, first).masks[body_id][0]
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):  # too small a format to show it
        return (0.0, 0.0, float(fmt.width), float(fmt.height))
    margin = BOX_MARGIN * min(fmt.width, fmt.height)
    return (
        max(0.0, float(columns[0]) - margin),
        max(0.0, float(rows[0]) - margin),
        min(float(fmt.width), float(columns[-1] + 1) + margin),
        min(float(fmt.height), float(rows[-1] + 1) + margin),
    )


def _inside(point_2: F32, fmt: VideoFormat) -> tuple[float, float]:
    x, y = (float(v) for v in point_2)
    return min(max(x, 1.0), fmt.width - 1.0), min(max(y, 1.0), fmt.height - 1.0)
