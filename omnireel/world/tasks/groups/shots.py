"""C13, C14 and C15: the next shot, the previous one, and another view of the same moment.

A next or previous shot either goes on exactly where the given one ends (both are halves of one
take), or cuts to the same cast in the same place, doing something else before another camera.
"""

from __future__ import annotations

import math
from dataclasses import replace

from omnireel.types import Role
from omnireel.world.captions import caption
from omnireel.world.captions.grammar import Borrowed, definite
from omnireel.world.captions.told import left_open
from omnireel.world.distribution import SceneDistribution, pick
from omnireel.world.sampler import sample_motion, with_visible_spin
from omnireel.world.scene import MOTIONS, Camera, Clock, Scene
from omnireel.world.staging import arrange, fit_pace, sample_camera
from omnireel.world.tasks.plan import Builder, Draw, Footage, Given, Plan

CAST = SceneDistribution(two_bodies=0.3, effect=0.05, moving_camera=0.1)
SEEN_AGAIN = SceneDistribution(two_bodies=0.3, effect=0.05, moving_camera=0.0)
CONTINUED = 0.5
"""Share of shots that go on where the given one ends."""
IN_PLACE_OF = Borrowed(place="@Video_1")

GOES_ON = {
    "C13": ("Continue @Video_1. {caption}", "@Video_1 continues without a cut. {caption}"),
    "C14": (
        "Show what happens before @Video_1, without a cut. {caption}",
        "The shot that ends where @Video_1 begins. {caption}",
    ),
}
CUTS = {
    "C13": (
        "The next shot after @Video_1. {caption}",
        "Cut from @Video_1 to a new shot. {caption}",
    ),
    "C14": (
        "The shot before @Video_1. {caption}",
        "The previous shot, from which a cut goes to @Video_1. {caption}",
    ),
}
VAGUE_ON = {
    "C13": ("go on with @Video_1", "what happens next in @Video_1", "@Video_1 continues"),
    "C14": ("what is before @Video_1", "start of @Video_1, no cut"),
}
VAGUE_CUT = {
    "C13": ("next shot of @Video_1, {name} {motion}", "after @Video_1 {name} {motion}"),
    "C14": ("previous shot of @Video_1, {name} {motion}", "before @Video_1 {name} {motion}"),
}
MOTION_NOUNS = {
    "still": "still", "move_right": "going right", "move_left": "going left",
    "approach": "coming closer", "recede": "going away", "jump": "jumping", "spin": "spinning",
    "circle": "going in circles",
}  # fmt: skip

ANGLES: dict[str, tuple[str, ...]] = {
    "left": ("from the left side", "from the left"),
    "right": ("from the right side", "from the right"),
    "behind": ("from behind", "from the back"),
    "above": ("from above", "from high above"),
    "low": ("from low above the ground", "from down low"),
    "near": ("from closer", "from a closer viewpoint"),
    "far": ("from a larger distance", "from away in the distance"),
}
"""How captions call each angle; the first camera of the list below makes it."""
ANGLE = (
    "Show the scene of @Video_1 {angle}.",
    "The same motion as in @Video_1, seen {angle}.",
    "A new camera angle of @Video_1: the view is {angle}.",
    "Film @Video_1 again {angle}, with nothing else changed.",
)
VAGUE_ANGLE = (
    "@Video_1 {angle}",
    "look at @Video_1 {angle} please",
    "other view of @Video_1, {angle}",
)
SIDE_RAD = 0.95
AWAY = ("approach", "recede")
"""Motions that leave the view when it is from the side."""


def seen_from(camera: Camera, angle: str) -> Camera:
    """``camera`` moved to where it sees its scene from ``angle`` (a key of ANGLES)."""
    match angle:
        case "left":
            return replace(camera, azimuth=camera.azimuth - SIDE_RAD)
        case "right":
            return replace(camera, azimuth=camera.azimuth + SIDE_RAD)
        case "behind":
            return replace(camera, azimuth=camera.azimuth + math.pi)
        case "above":
            return replace(camera, elevation=1.0)
        case "low":
            return replace(camera, elevation=-0.09)
        case "near":
            return replace(camera, distance=0.66 * camera.distance)
        case _:
            return replace(camera, distance=1.6 * camera.distance)


def next_shot(draw: Draw) -> Plan:
    """What comes after the video."""
    return _shot(draw, "C13")


def previous_shot(draw: Draw) -> Plan:
    """What comes before the video."""
    return _shot(draw, "C14")


def _shot(draw: Draw, capability: str) -> Plan:
    goes_on = draw.chance(CONTINUED)
    if goes_on:
        whole = _whole_take(draw)
        early, late = (replace(whole, clock=Clock(start_s)) for start_s in (0.0, draw.duration_s))
        source, scene = (early, late) if capability == "C13" else (late, early)
    else:
        source = draw.scene(distribution=CAST)
        scene = _cut(draw, source)
    names = {body.id: definite(body) for body in scene.bodies}
    level = draw.level()
    patterns, loose = (GOES_ON, VAGUE_ON) if goes_on else (CUTS, VAGUE_CUT)
    text = draw.one_of(patterns[capability]).format(
        caption=_sentence(caption(scene, level, draw.rng, names=names, borrowed=IN_PLACE_OF))
    )
    vague_text = draw.one_of(loose[capability]).format(
        name=names[scene.bodies[0].id], motion=MOTION_NOUNS[scene.bodies[0].motion.kind]
    )
    given = (Given("Video_1", Role.REFERENCE, (Footage(source),)),)
    # The given shot tells place, weather and style; the camera of a cut is the film-maker's choice.
    opened = left_open(level, IN_PLACE_OF) - {"weather"}
    return Plan(scene, text, vague_text, given, source_scene=source, left_open=opened)


def _whole_take(draw: Draw) -> Scene:
    """A scene of twice the length in which something goes on."""
    twice = replace(draw, duration_s=2 * draw.duration_s)
    while True:
        scene = twice.scene(distribution=CAST)
        if any(body.motion.kind != "still" for body in scene.bodies):
            return scene


def _cut(draw: Draw, source: Scene) -> Scene:
    """The same cast in the same place, doing something else before another camera."""
    first = source.bodies[0]
    kind = pick(draw.rng, tuple(m for m in MOTIONS if m != first.motion.kind))
    motion = sample_motion(draw.rng, kind, distribution=CAST)
    bodies = (replace(first, motion=motion), *source.bodies[1:])
    if with_visible_spin(bodies[0]) != bodies[0]:  # its surface must stay as it is
        bodies = (replace(first, motion=replace(motion, kind="jump")), *source.bodies[1:])
    placed = tuple(
        fit_pace(body, draw.duration_s) for body in arrange(draw.rng, bodies, distribution=CAST)
    )
    camera = sample_camera(draw.rng, placed, distribution=CAST)
    return replace(source, bodies=placed, camera=camera)


def new_angle(draw: Draw) -> Plan:
    """The same moment before a camera that stands elsewhere."""
    source = draw.scene(distribution=SEEN_AGAIN)
    aside = any(body.motion.kind in AWAY for body in source.bodies)
    angle = draw.one_of(tuple(a for a in ANGLES if not (aside and a in ("left", "right"))))
    scene = replace(source, camera=seen_from(source.camera, angle))
    words = draw.one_of(ANGLES[angle])
    return Plan(
        scene,
        draw.one_of(ANGLE).format(angle=words),
        draw.one_of(VAGUE_ANGLE).format(angle=words),
        (Given("Video_1", Role.REFERENCE, (Footage(source),)),),
        source_scene=source,
    )


def _sentence(text: str) -> str:
    """Terse captions have no capital letter and no full stop."""
    ended = text if text.endswith(".") else f"{text}."
    return ended[:1].upper() + ended[1:]


BUILDERS: dict[str, Builder] = {"C13": next_shot, "C14": previous_shot, "C15": new_angle}
