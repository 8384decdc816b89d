"""C1, C2 and C3: subjects given by pictures appear in a new scene."""

from __future__ import annotations

from dataclasses import replace

from omnireel.types import Role
from omnireel.world.captions import caption, vague
from omnireel.world.captions.grammar import Borrowed
from omnireel.world.captions.told import left_open
from omnireel.world.distribution import SceneDistribution
from omnireel.world.tasks.plan import Builder, Draw, Given, Picture, Plan
from omnireel.world.tasks.portraits import portrait, turnaround

NAMES = ("Hero", "Buddy", "Friend", "Toy", "Actor", "Element_1")
"""Names of elements; none of them says what it is."""
PICTURED = ("@{name}", "@{name}", "the subject of @{name}")
"""What to call a body that an image shows."""
ONE_BODY = SceneDistribution(two_bodies=0.0)
TWO_BODIES = SceneDistribution(two_bodies=1.0)
ELEMENT_AND_PLACE = 0.35
"""Share of C3 in which the image gives the place instead of a second subject."""


def image_reference(draw: Draw) -> Plan:
    """The body of one image acts in the scene that the text describes."""
    scene = draw.scene()
    picture = portrait(draw, scene.bodies[0])
    names = {"a": draw.one_of(PICTURED).format(name="Image_1")}
    level = draw.level()
    return Plan(
        scene,
        caption(scene, level, draw.rng, names=names),
        vague(scene, draw.rng, names={"a": "@Image_1"}),
        (Given("Image_1", Role.REFERENCE, (picture,)),),
        source_scene=picture.scene,
        left_open=left_open(level),
    )


def element_reference(draw: Draw) -> Plan:
    """The body of an element (three views) acts in the scene that the text describes."""
    scene = draw.scene()
    name = draw.one_of(NAMES)
    views = turnaround(draw, scene.bodies[0])
    names = {"a": f"@{name}"}
    level = draw.level()
    return Plan(
        scene,
        caption(scene, level, draw.rng, names=names),
        vague(scene, draw.rng, names=names),
        (Given(name, Role.ELEMENT, views),),
        source_scene=views[0].scene,
        left_open=left_open(level),
    )


def image_and_element(draw: Draw) -> Plan:
    """An element together with an image of a second body, or of the place."""
    name = draw.one_of(NAMES)
    with_place = draw.chance(ELEMENT_AND_PLACE)
    scene = draw.scene(distribution=ONE_BODY if with_place else TWO_BODIES)
    views = turnaround(draw, scene.bodies[0])
    names = {"a": f"@{name}"}
    if with_place:
        empty = replace(scene, bodies=(), effect="none", effect_on="", style="natural")
        picture = Picture(empty, 0.0)
        borrowed = Borrowed(place="@Image_1")
        vague_text = f"{vague(scene, draw.rng, names=names)}, like @Image_1"
    else:
        picture = portrait(draw, scene.bodies[1])
        borrowed = Borrowed()
        names |= {"b": "@Image_1"}
        vague_text = vague(scene, draw.rng, names=names)
    level = draw.level()
    return Plan(
        scene,
        caption(scene, level, draw.rng, names=names, borrowed=borrowed),
        vague_text,
        (Given(name, Role.ELEMENT, views), Given("Image_1", Role.REFERENCE, (picture,))),
        source_scene=views[0].scene,
        left_open=left_open(level, borrowed),
    )


BUILDERS: dict[str, Builder] = {
    "C1": image_reference,
    "C2": element_reference,
    "C3": image_and_element,
}
