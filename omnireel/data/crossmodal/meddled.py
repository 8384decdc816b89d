"""Results of an edit that also changed what it should have kept, or did half of what was asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from omnireel.data.crossmodal.altered import COLORLESS, altered
from omnireel.types import Frames, VideoFormat
from omnireel.world.distribution import pick
from omnireel.world.render import render_clip
from omnireel.world.scene import Scene
from omnireel.world.truth import render_truth

_LEFT_BEHIND = (0.25, 0.75)
"""Share of a subject that stays where it was erased in part."""


def meddled(source: Scene, result: Scene, rng: np.random.Generator) -> Scene:
    """``result`` with one more change, of something that the edit from ``source`` left alone."""
    before = {b.id: b for b in source.bodies}
    kept = [i for i, b in enumerate(result.bodies) if before.get(b.id) == b]
    options = []
    if source.place == result.place:
        options.append("place")
    if source.style == result.style:
        options.append("style")
    if source.place != result.place or source.style != result.style or not kept:
        options.append("angle")
    if kept:
        options += ["kind", "motion"] + ([] if result.style in COLORLESS else ["color", "color"])
    fact = pick(rng, options)
    if fact == "angle":
        turn = float(rng.uniform(0.25, 0.6)) * (1 if rng.random() < 0.5 else -1)
        camera = replace(result.camera, azimuth=result.camera.azimuth + turn)
        return replace(result, camera=camera)
    return altered(result, fact, rng, kept[int(rng.integers(len(kept)))] if kept else 0)


def erased(source: Scene, result: Scene) -> str:
    """The id of the body that ``result`` lacks; empty when it has all of ``source``."""
    there = {body.id for body in result.bodies}
    return next((body.id for body in source.bodies if body.id not in there), "")


def half_erased(source: Scene, result: Scene, fmt: VideoFormat, rng: np.random.Generator) -> Frames:
    """``result``, which lacks a body of ``source``, with a piece of it left behind: the same side
    of it in every frame, as an eraser leaves it whose mask is too small."""
    whole, frames = render_clip(source, fmt), render_clip(result, fmt).copy()
    angle, share = rng.uniform(0.0, 2 * np.pi), rng.uniform(*_LEFT_BEHIND)
    for t, mask in enumerate(render_truth(source, fmt).masks[erased(source, result)]):
        if not mask.any():
            continue
        y, x = np.nonzero(mask)
        along = np.cos(angle) * x + np.sin(angle) * y
        stays = along <= np.quantile(along, share)
        frames[t, y[stays], x[stays]] = whole[t, y[stays], x[stays]]
    return frames
