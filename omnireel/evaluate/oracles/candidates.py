"""Which of several exact renderings a result is most like: angles, effects, styles, panels.

Where no reader tells a fact, the world itself is the yardstick: it renders every answer that there
is, and the nearest one is taken for what the result shows. Pictures are compared coarsely, cell by
cell, because generated ones are never exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from omnireel.evaluate.judgement import Judgement
from omnireel.evaluate.oracles.base import Oracle, share
from omnireel.evaluate.oracles.pixels import given
from omnireel.evaluate.perception.reader import F32
from omnireel.types import Frames, Role
from omnireel.world.render import frame_times, render_times
from omnireel.world.scene import EFFECTS, STYLES, Clock, Scene
from omnireel.world.tasks.groups.editing_effects import FALLING
from omnireel.world.tasks.groups.shots import ANGLES, seen_from

CELLS = 16
"""Cells along the short side of a compared picture."""
MOMENTS = 3
EFFECT_MOMENTS = 6
OTHER_SEED = 7919
"""Added to the seed of candidates, so that particles are not where the exact answer has them."""
FAINT = 0.03
"""Differences (0..1) below this are taken for the noise of a generated picture."""
EQUAL = 1e-4
"""Panels whose cells differ by less (mean square, 0..1) cannot be told apart."""


def coarse(frames_THWC: Frames, cells: int = CELLS) -> F32:
    """Means over cells, (T, h, w, 3) in 0..1; the last rows and columns may be left out."""
    t, h, w, _ = frames_THWC.shape
    size = max(1, min(h, w) // cells)
    cut = frames_THWC[:, : h // size * size, : w // size * size].astype(np.float32)
    blocks = cut.reshape(t, h // size, size, w // size, size, 3)
    out: F32 = blocks.mean((2, 4)) / np.float32(255)
    return out


def _angle(case: Judgement) -> float | None:
    source = case.asked.source_scene
    if source is None:
        return None
    views = {name: replace(source, camera=seen_from(source.camera, name)) for name in ANGLES}
    views[""] = source
    at = _moments(case, MOMENTS)
    seen = coarse(case.result.frames_THWC[at])
    errors = {
        name: float(np.square(coarse(_render(case, scene, at)) - seen).mean())
        for name, scene in views.items()
    }
    return float(views[min(errors, key=lambda name: errors[name])] == case.asked.scene)


def _style(case: Judgement) -> float | None:
    return float(style_seen(case) == case.asked.scene.style)


def style_seen(case: Judgement) -> str:
    """The style in which the asked scene looks most like the result."""
    at = _moments(case, MOMENTS)
    seen = coarse(case.result.frames_THWC[at])
    errors = {}
    for style in STYLES:
        rendered = _render(case, replace(case.asked.scene, style=style), at)
        errors[style] = float(np.square(coarse(rendered) - seen).mean())
    return min(errors, key=lambda style: errors[style])


def _effect(case: Judgement) -> float | None:
    return float(effect_seen(case) == _effect_asked(case.asked.scene))


def effect_seen(case: Judgement) -> str:
    """The effect, weather or "freeze" that the result is most like; "none" without any."""
    before, source = case.asked.source_scene, given(case, Role.SOURCE)
    if before is None or source is None:
        return "none"
    at = _moments(case, EFFECT_MOMENTS)
    seen_D = _added(case.result.frames_THWC[at], source.frames_THWC[at])
    plain = _render(case, _reseeded(before), at)
    found = {
        name: _added(_render(case, scene, at), plain)
        for name, scene in _effects(case.asked.scene, before)
    }
    spread_D = np.stack([*found.values()]).std(0) + 1e-4
    errors = {name: float(np.square((v - seen_D) / spread_D).sum()) for name, v in found.items()}
    return min(errors, key=lambda name: errors[name])


def _effects(asked: Scene, before: Scene) -> Iterator[tuple[str, Scene]]:
    """The asked scene with each effect that it could have been asked for, and with none."""
    on_body = asked.effect != "none"
    bare = _reseeded(replace(asked, effect="none", effect_on="", clock=Clock()))
    if not on_body:
        bare = replace(bare, weather=before.weather)
    yield "none", bare
    for effect in EFFECTS[1:] if bare.bodies else ():
        yield effect, replace(bare, effect=effect, effect_on=asked.effect_on or bare.bodies[0].id)
    if on_body:
        return
    for weather in FALLING:
        yield weather, replace(bare, weather=weather)
    yield "freeze", replace(bare, clock=Clock(pace=0.0))


def _reseeded(scene: Scene) -> Scene:
    return replace(scene, seed=scene.seed + OTHER_SEED)


def _effect_asked(scene: Scene) -> str:
    if scene.effect != "none":
        return scene.effect
    return "freeze" if not scene.clock.pace else scene.weather


def _added(frames_THWC: Frames, plain_THWC: Frames) -> F32:
    """What an effect adds, as numbers that do not depend on where its particles are.

    Mean light and shade that it adds by colour, its strength, how much of the picture it touches,
    and how much more everything moves.
    """
    count = min(len(frames_THWC), len(plain_THWC))
    after, before = coarse(frames_THWC[:count]), coarse(plain_THWC[:count])
    added = after - before
    light, shade = (np.maximum(sign * added - FAINT, 0) for sign in (1, -1))
    touched = (np.abs(added).max(-1) > 2 * FAINT).mean()
    moves = np.abs(np.diff(after, axis=0)).mean() - np.abs(np.diff(before, axis=0)).mean()
    strength = np.sqrt(np.square(light + shade).mean((0, 1, 2)))
    parts = (light.mean((0, 1, 2)), shade.mean((0, 1, 2)), strength, [touched, moves])
    out: F32 = np.concatenate([np.asarray(p, np.float32) for p in parts])
    return out


def _order(case: Judgement) -> float | None:
    """Of the panels: the result at the panel's moment is most like that very panel."""
    panels = [p for p in case.asked.panels if p < len(case.result.frames_THWC)]
    if not panels:
        return None
    wanted = coarse(case.asked.target.frames_THWC[panels])
    seen = coarse(case.result.frames_THWC[panels])
    errors_PP = np.square(seen[:, None] - wanted[None]).mean((2, 3, 4))
    best = errors_PP.min(1)
    return share([bool(errors_PP[k, k] <= best[k] + EQUAL) for k in range(len(panels))])


def _moments(case: Judgement, count: int) -> list[int]:
    last = min(len(case.result.frames_THWC), case.asked.target.format.num_frames) - 1
    return sorted({round(last * k / (count - 1)) for k in range(count)})


def _render(case: Judgement, scene: Scene, at: list[int]) -> Frames:
    fmt = case.asked.target.format
    return render_times(scene, fmt.width, fmt.height, frame_times(fmt)[at])


ANGLE = Oracle("angle", "nearest to the exact view from the asked angle, of eight", _angle)
EFFECT = Oracle("effect", "nearest to the exact rendering with the asked effect", _effect)
STYLE = Oracle("style", "nearest to the exact rendering in the asked style, of all", _style)
ORDER = Oracle("order", "share of panels that the film is most like when it is their turn", _order)
