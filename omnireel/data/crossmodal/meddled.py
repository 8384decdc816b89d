"""Results of an edit that also changed what it should have kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from omnireel.data.crossmodal.altered import COLORLESS, altered
from omnireel.world.distribution import pick
from omnireel.world.scene import Scene


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
