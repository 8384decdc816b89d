"""Other bodies for a scene: who takes whose place."""

from __future__ import annotations

from dataclasses import replace

from omnireel.world.distribution import SceneDistribution
from omnireel.world.sampler import sample_companion, with_visible_spin
from omnireel.world.scene import Body
from omnireel.world.staging import width_factor
from omnireel.world.tasks.plan import Draw


def stand_in(
    draw: Draw,
    old: Body,
    company: tuple[Body, ...],
    *,
    place: str,
    distribution: SceneDistribution,
) -> Body:
    """Another body where ``old`` is and moving as it does, unlike it and unlike its company."""
    taken = {b.kind for b in company} | {b.material.color for b in company}
    while True:
        new = sample_companion(draw.rng, old, old.id, place=place, distribution=distribution)
        if not taken & {new.kind, new.material.color}:
            break
    new = replace(
        new,
        size=old.size * width_factor(new.kind) / width_factor(old.kind),
        position=old.position,
        heading=old.heading,
        motion=old.motion,
    )
    return with_visible_spin(new)
