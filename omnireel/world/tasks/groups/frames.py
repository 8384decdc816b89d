"""C18 and C19: given frames of the clip itself are brought to life."""

from __future__ import annotations

from omnireel.types import Role
from omnireel.world.captions import caption, vague
from omnireel.world.captions.told import OpenFact, left_open
from omnireel.world.tasks.plan import Builder, Draw, Given, Plan, TargetFrame

FIRST = (
    "{caption}",
    "{caption}",
    "The video starts from @Image_1. {caption}",
    "Animate @Image_1. {caption}",
)
VAGUE_FIRST = ("animate @Image_1", "make @Image_1 move", "@Image_1 {vague}", "{vague}")
FIRST_LAST = (
    "{caption}",
    "The video starts with @Image_1 and ends with @Image_2. {caption}",
    "From @Image_1 to @Image_2. {caption}",
)
VAGUE_FIRST_LAST = ("from @Image_1 to @Image_2", "@Image_1 then @Image_2", "{vague}")
UNSEEN: frozenset[OpenFact] = frozenset({"camera"})
"""What a frame does not show."""


def first_frame(draw: Draw) -> Plan:
    """The first frame and a caption."""
    scene = draw.scene()
    pattern, level = draw.one_of(FIRST), draw.level()
    return Plan(
        scene,
        pattern.format(caption=caption(scene, level, draw.rng)),
        draw.one_of(VAGUE_FIRST).format(vague=vague(scene, draw.rng)),
        (Given("Image_1", Role.FIRST_FRAME, (TargetFrame(0),)),),
        left_open=left_open(level) & UNSEEN,
    )


def first_and_last_frame(draw: Draw) -> Plan:
    """The first and the last frame and a caption."""
    scene = draw.scene()
    pattern, level = draw.one_of(FIRST_LAST), draw.level()
    return Plan(
        scene,
        pattern.format(caption=caption(scene, level, draw.rng)),
        draw.one_of(VAGUE_FIRST_LAST).format(vague=vague(scene, draw.rng)),
        (
            Given("Image_1", Role.FIRST_FRAME, (TargetFrame(0),)),
            Given("Image_2", Role.LAST_FRAME, (TargetFrame(-1),)),
        ),
        left_open=left_open(level) & UNSEEN,
    )


BUILDERS: dict[str, Builder] = {"C18": first_frame, "C19": first_and_last_frame}
