"""C22 and C25: what is drawn on a picture, or drawn by hand, becomes the clip.

An arrow is the path of a subject from the first frame to the last; a box is where something stands
in the first frame; a sketch gives the outlines, or the dark shapes, of the first frame.
"""

from __future__ import annotations

from dataclasses import replace

from omnireel.types import Role
from omnireel.world.captions import caption, vague, vague_name
from omnireel.world.captions.grammar import appearance, definite, motion_of
from omnireel.world.captions.told import OpenFact, left_open
from omnireel.world.distribution import SceneDistribution
from omnireel.world.sampler import with_visible_spin
from omnireel.world.scene import Body, Motion, Scene
from omnireel.world.staging import arrange, fit_pace
from omnireel.world.tasks.plan import Builder, Draw, Given, Marked, Plan, Sketch

ALONE = SceneDistribution(two_bodies=0.0, moving_camera=0.0, effect=0.0)
TOGETHER = SceneDistribution(two_bodies=1.0, moving_camera=0.0, effect=0.0)
MARKS = ("arrow", "box", "both")
ALONG = ("move_right", "move_left", "approach", "recede")
"""Motions that an arrow can show."""
BESIDE = ("approach", "recede")
"""Those of them that do not hide what stands beside."""
MOST_BEARING = 0.6
"""Radians by which the path of an arrow leaves its main direction, at most."""
FILLED = 0.4
"""Share of drawings that are dark shapes."""

ARROW = (
    "In @Image_1, {a} follows the arrow.",
    "Animate @Image_1: {a} moves along the arrow.",
    "The arrow drawn on @Image_1 is the path of {a}.",
    "Move {a} of @Image_1 from the start to the end of the arrow.",
)
VAGUE_ARROW = ("{name} along the arrow", "follow the arrow of @Image_1", "animate the arrow")
BOX = (
    "Put {b} {motion} into the box of @Image_1.",
    "Add {b} {motion} where the box is drawn on @Image_1.",
    "The box marked in @Image_1 is the place for {b} {motion}.",
)
VAGUE_BOX = ("{new} in the box", "put {new} in the box of @Image_1", "the box is {new}")
BOTH = (
    "In @Image_1, {a} follows the arrow, and {b} is in the box {motion}.",
    "Animate @Image_1: {a} moves along the arrow while {b} {motion} fills the box.",
)
VAGUE_BOTH = ("{name} along the arrow and {new} in the box", "arrow for {name}, box for {new}")
WITHOUT = ("", "", " Do not show what is drawn.", " Remove the lines.")

SKETCH = (
    "Turn the drawing @Image_1 into a video. {caption}",
    "Color the lines of @Image_1. {caption}",
    "{caption} The lines of @Image_1 show where everything is.",
)
VAGUE_SKETCH = ("color this drawing @Image_1, {vague}", "{vague}, like the lines of @Image_1")
SHAPES = (
    "The dark shape in @Image_1 is the subject. {caption}",
    "Fill the shape of @Image_1. {caption}",
    "{caption} It has the shape and the place that @Image_1 shows.",
)
VAGUE_SHAPES = ("{vague}, same shape as @Image_1", "the shape of @Image_1 is this, {vague}")
UNSEEN: frozenset[OpenFact] = frozenset({"place", "weather", "camera"})
"""What a drawing does not show; dark shapes do not even show the place."""


def visual_prompt(draw: Draw) -> Plan:
    """Arrows and boxes on the first frame say who goes where and where something new stands."""
    marks = draw.one_of(MARKS)
    scene = draw.scene(distribution=ALONE if marks == "arrow" else TOGETHER)
    if marks == "box":  # nothing is said of the other body, so it rests
        scene = _moved(draw, scene, Motion("still"))
    else:
        bearing = float(draw.rng.uniform(-MOST_BEARING, MOST_BEARING))
        kind = draw.one_of(ALONG if marks == "arrow" else BESIDE)
        scene = _moved(draw, scene, Motion(kind, bearing=bearing))
    a, b = scene.bodies[0], scene.bodies[-1]
    arrows = () if marks == "box" else (a.id,)
    boxes = () if marks == "arrow" else (b.id,)
    pictured = replace(scene, bodies=tuple(body for body in scene.bodies if body.id not in boxes))
    words = {
        "a": definite(a),
        "b": appearance(b, scene, draw.rng),
        "motion": motion_of(b, scene, draw.rng),
        "name": vague_name(a, draw.rng),
        "new": vague_name(b, draw.rng, definite=False),
    }
    patterns = {"arrow": (ARROW, VAGUE_ARROW), "box": (BOX, VAGUE_BOX), "both": (BOTH, VAGUE_BOTH)}
    text, vague_text = (draw.one_of(p).format(**words) for p in patterns[marks])
    if "@" not in vague_text:
        vague_text = f"{vague_text}, @Image_1"
    return Plan(
        scene,
        text + draw.one_of(WITHOUT),
        vague_text,
        (Given("Image_1", Role.ANNOTATION, (Marked(pictured, arrows, boxes),)),),
        source_scene=pictured,
    )


def _moved(draw: Draw, scene: Scene, motion: Motion) -> Scene:
    """``scene`` with its first body in ``motion``, and everybody where there is room for it."""
    moved = with_visible_spin(replace(scene.bodies[0], motion=motion))
    bodies: tuple[Body, ...] = (moved, *scene.bodies[1:])
    placed = arrange(draw.rng, bodies, distribution=ALONE)
    return replace(scene, bodies=tuple(fit_pace(body, draw.duration_s) for body in placed))


def sketch(draw: Draw) -> Plan:
    """A drawing of the first frame, with its colours and its motion in words."""
    scene = draw.scene()
    filled = draw.chance(FILLED)
    level = draw.level()
    patterns, loose = (SHAPES, VAGUE_SHAPES) if filled else (SKETCH, VAGUE_SKETCH)
    said = caption(scene, level, draw.rng)
    said = said[:1].upper() + said[1:] if said.endswith(".") else f"{said[:1].upper()}{said[1:]}."
    return Plan(
        scene,
        draw.one_of(patterns).format(caption=said),
        draw.one_of(loose).format(vague=vague(scene, draw.rng)),
        (Given("Image_1", Role.ANNOTATION, (Sketch(scene, filled),)),),
        source_scene=scene,
        left_open=left_open(level) & UNSEEN,
    )


BUILDERS: dict[str, Builder] = {"C22": visual_prompt, "C25": sketch}
