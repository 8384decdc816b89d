"""C20: text to video."""

from __future__ import annotations

from omnireel.world.captions import caption, vague
from omnireel.world.tasks.plan import Builder, Draw, Plan


def text_to_video(draw: Draw) -> Plan:
    """A caption of any level becomes the clip."""
    scene = draw.scene()
    return Plan(scene, caption(scene, draw.level(), draw.rng), vague(scene, draw.rng))


BUILDERS: dict[str, Builder] = {"C20": text_to_video}
