"""C20: text to video."""

from __future__ import annotations

from omnireel.world.captions import caption, vague
from omnireel.world.captions.told import left_open
from omnireel.world.tasks.plan import Builder, Draw, Plan


def text_to_video(draw: Draw) -> Plan:
    """A caption of any level becomes the clip."""
    scene = draw.scene()
    level = draw.level()
    text = caption(scene, level, draw.rng)
    return Plan(scene, text, vague(scene, draw.rng), left_open=left_open(level))


BUILDERS: dict[str, Builder] = {"C20": text_to_video}
