"""C4, C5, C6 and C12: a subject of the given video is added, removed or replaced."""

from __future__ import annotations

from dataclasses import replace

from omnireel.types import Role
from omnireel.world.captions import vague_name
from omnireel.world.captions.grammar import appearance, definite, motion_of, relation
from omnireel.world.distribution import SceneDistribution
from omnireel.world.scene import Body, Scene
from omnireel.world.tasks.casting import stand_in
from omnireel.world.tasks.plan import Builder, Draw, Footage, Given, Plan
from omnireel.world.tasks.portraits import portrait

EDIT_SCENES = SceneDistribution(two_bodies=0.35, effect=0.0)
TWO_BODIES = SceneDistribution(two_bodies=1.0, effect=0.0)
REMOVE_ONLY_BODY = 0.2

KEEP = ("", ", keep everything else", ", leave the rest unchanged", ". The rest stays the same")
ADD = (
    "Add {np} {rel} {motion} to @Video_1{keep}.",
    "Put {np} {motion} into @Video_1 {rel}{keep}.",
    "In @Video_1, add {np} {motion} {rel}{keep}.",
)
VAGUE_ADD = ("add {name}", "{name} too", "put {name} in there", "also {name} please")
REMOVE = (
    "Remove {np} from @Video_1{keep}.",
    "Erase {np} from @Video_1{keep}.",
    "@Video_1 without {np}{keep}.",
    "Make {np} in @Video_1 go away{keep}.",
)
VAGUE_REMOVE = ("no {name}", "delete {name}", "take {name} out", "without {name} please")
REPLACE = (
    "Replace {np} in @Video_1 with {new}{keep}.",
    "Swap {np} in @Video_1 for {new}{keep}.",
    "Change {np} of @Video_1 into {new}{keep}.",
    "In @Video_1, put {new} in the place of {np}{keep}.",
)
VAGUE_REPLACE = ("{new} instead", "make it {new}", "swap {name} with {new}", "{new} not {name}")


def addition(draw: Draw) -> Plan:
    """The second body is missing in the source."""
    scene = draw.scene(distribution=TWO_BODIES)
    source = replace(scene, bodies=scene.bodies[:1])
    added = scene.bodies[1]
    text = draw.one_of(ADD).format(
        np=appearance(added, scene, draw.rng),
        rel=relation(scene)[1],
        motion=motion_of(added, scene, draw.rng),
        keep=draw.one_of(KEEP),
    )
    vague_text = draw.one_of(VAGUE_ADD).format(name=_indefinite(added, draw))
    return _edit(scene, source, text, vague_text, (added.id,))


def removal(draw: Draw) -> Plan:
    """One of two bodies, or the only one, is gone in the target."""
    if draw.split == "train" and draw.chance(REMOVE_ONLY_BODY):
        source = draw.scene(max_bodies=1, distribution=EDIT_SCENES)
    else:
        source = draw.scene(distribution=TWO_BODIES)
    removed = source.bodies[int(draw.rng.integers(len(source.bodies)))]
    scene = replace(source, bodies=tuple(b for b in source.bodies if b != removed))
    text = draw.one_of(REMOVE).format(np=definite(removed), keep=draw.one_of(KEEP))
    vague_text = draw.one_of(VAGUE_REMOVE).format(name=vague_name(removed, draw.rng))
    return _edit(scene, source, text, vague_text, (removed.id,))


def replacement(draw: Draw) -> Plan:
    """Another body, told in words, takes the place and the motion of the first."""
    source, scene = _with_first_replaced(draw)
    old, new = source.bodies[0], scene.bodies[0]
    text = draw.one_of(REPLACE).format(
        np=definite(old), new=appearance(new, scene, draw.rng), keep=draw.one_of(KEEP)
    )
    vague_text = draw.one_of(VAGUE_REPLACE).format(
        new=_indefinite(new, draw), name=vague_name(old, draw.rng)
    )
    return _edit(scene, source, text, vague_text, (old.id,))


def subject_driven(draw: Draw) -> Plan:
    """As C6, but an image shows the new body."""
    source, scene = _with_first_replaced(draw)
    old = source.bodies[0]
    text = draw.one_of(REPLACE).format(np=definite(old), new="@Image_1", keep=draw.one_of(KEEP))
    vague_text = draw.one_of(VAGUE_REPLACE).format(new="@Image_1", name=vague_name(old, draw.rng))
    picture = portrait(draw, scene.bodies[0])
    image = Given("Image_1", Role.REFERENCE, (picture,))
    return _edit(scene, source, text, vague_text, (old.id,), image)


def _with_first_replaced(draw: Draw) -> tuple[Scene, Scene]:
    """Source and target that differ in what the first body is, not in where it is or moves."""
    source = draw.scene(distribution=EDIT_SCENES)
    old = source.bodies[0]
    others = source.bodies[1:]
    new = stand_in(draw, old, others, place=source.place, distribution=EDIT_SCENES)
    return source, replace(source, bodies=(new, *others))


def _edit(
    scene: Scene,
    source: Scene,
    text: str,
    vague_text: str,
    edited: tuple[str, ...],
    *more: Given,
) -> Plan:
    given = (Given("Video_1", Role.SOURCE, (Footage(source),)), *more)
    return Plan(scene, text, vague_text, given, source_scene=source, edited=edited)


def _indefinite(body: Body, draw: Draw) -> str:
    """A loose name without "the": people say "add blue ball"."""
    return vague_name(body, draw.rng, definite=False)


BUILDERS: dict[str, Builder] = {
    "C4": addition,
    "C5": removal,
    "C6": replacement,
    "C12": subject_driven,
}
