"""C23: the prompt is a puzzle, and the clip shows its one answer.

Each kind of puzzle is a function: it draws a scene, hides one fact of it behind a question, and
keeps the plain words as the solution, which is what an enhancer shall write.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from omnireel.types import Role
from omnireel.world import phrases
from omnireel.world.captions import caption, vague_name
from omnireel.world.captions.grammar import appearance, definite
from omnireel.world.distribution import SceneDistribution
from omnireel.world.lexicon import CLOTHED, NOUNS
from omnireel.world.sampler import LOW_CONTRAST, with_visible_spin
from omnireel.world.scene import Body, Motion, Scene
from omnireel.world.staging import arrange, fit_pace
from omnireel.world.tasks.casting import stand_in
from omnireel.world.tasks.plan import Builder, Draw, Given, Plan, TargetFrame

SIMPLE = SceneDistribution(
    two_bodies=0.0, prop=0.0, textured=0.0, small=0.0, large=0.0, other_weather=0.0,
    other_style=0.0, moving_camera=0.0, effect=0.0, slow=0.0, fast=0.0,
)  # fmt: skip
PAIRS = replace(SIMPLE, two_bodies=1.0)
"""Puzzles hide one fact; all others are plain."""

COLOR_OF = {
    "green": ("fresh grass", "a meadow"),
    "blue": ("the sea", "a clear sky"),
    "white": ("fresh snow", "a snowy field"),
    "black": ("a dark night without stars",),
    "yellow": ("sand", "the stars"),
}
MIXED = {
    "green": ("blue", "yellow"),
    "orange": ("red", "yellow"),
    "purple": ("red", "blue"),
    "pink": ("red", "white"),
}
OPPOSITE = {
    "move_right": "to the left",
    "move_left": "to the right",
    "approach": "away from the camera",
    "recede": "closer to the camera",
}
"""Motions, and how to speak of their reverse."""
COUNTS = {
    1: ("two less one", "three less two", "only one"),
    2: ("one plus one", "three less one", "four less two"),
}
RIDDLE = (
    "{noun} {dressed}in the color of {thing} {motion} {place}.",
    "{place}, {noun} {motion}. Its color is that of {thing}.",
)
MIX = (
    "{noun} {motion} {place}. Its color is what {one} and {two} paint make together.",
    "Combine {one} and {two}: {noun} of that color {motion} {place}.",
)
NEXT = (
    "{one}, {two}, {one}, {two}, {one}: {noun} of the next color {motion} {place}.",
    "First {one}, then {two}, then {one} again. What is next? {noun} of that color {motion} "
    "{place}.",
)
TURN = (
    "Turn this motion around: {np} moves {way} {place}.",
    "{np} {place} moves {way}, but turn its motion around.",
)
COUNT = (
    "{things}: show {count} of them {place}, from the first on, standing still.",
    "Take {count} of this, from the first on: {things}. Put it {place}, standing still.",
)
COMPARE = (
    "In @Image_1, only {which} {motion}.",
    "Animate @Image_1: {which} {motion}, and the other one stays still.",
)
FALL = (
    "What happens next in @Image_1?",
    "In @Image_1, nothing holds {np}. Show what happens next.",
)
VAGUE_FALL = ("what next in @Image_1", "and then, @Image_1")
DOES = {"jump": "jumps up and down", "spin": "spins around"}
SMALLER = 0.66
"""Size of the smaller of two bodies, as a part of its own."""
FROM_IMAGE = "The video starts from @Image_1. {caption}"
_START = re.compile(r"(?:^|[.?] )[a-z]")
FIRST_FRAME = Given("Image_1", Role.FIRST_FRAME, (TargetFrame(0),))


@dataclass(frozen=True)
class Puzzle:
    """A scene, the question with care and without, and what is given with it."""

    scene: Scene
    text: str
    vague_text: str
    given: tuple[Given, ...] = ()


def reasoning(draw: Draw) -> Plan:
    """A puzzle of one kind."""
    puzzle = PUZZLES[int(draw.rng.integers(len(PUZZLES)))](draw)
    answer = caption(puzzle.scene, "full", draw.rng)
    return Plan(
        puzzle.scene,
        _START.sub(lambda found: found[0].upper(), puzzle.text),
        puzzle.vague_text,
        puzzle.given,
        solution=FROM_IMAGE.format(caption=answer) if puzzle.given else answer,
    )


def _riddle(draw: Draw) -> Puzzle:
    """The colour is that of a thing that everybody knows."""
    scene = _colored(draw, tuple(COLOR_OF))
    thing = draw.one_of(COLOR_OF[scene.bodies[0].material.color])
    words = _words(draw, scene)
    text = draw.one_of(RIDDLE).format(thing=thing, **words)
    return Puzzle(scene, text, f"{words['short']} in the color of {thing}")


def _mix(draw: Draw) -> Puzzle:
    """The colour is what two paints make."""
    scene = _colored(draw, tuple(MIXED))
    one, two = MIXED[scene.bodies[0].material.color]
    words = _words(draw, scene)
    text = draw.one_of(MIX).format(one=one, two=two, **words)
    return Puzzle(scene, text, f"{one} plus {two}, {words['short']}")


def _next_color(draw: Draw) -> Puzzle:
    """The colour comes next in a row that alternates."""
    scene = _colored(draw, ("red", "yellow", "green", "blue", "purple", "pink"))
    two = scene.bodies[0].material.color
    one = draw.one_of(tuple(c for c in ("red", "blue", "green", "white") if c != two))
    words = _words(draw, scene)
    text = draw.one_of(NEXT).format(one=one, two=two, **words)
    return Puzzle(scene, text, f"{one} {two} {one}, {words['short']} of the next color")


def _other_way(draw: Draw) -> Puzzle:
    """The motion is the reverse of what is said."""
    scene = draw.scene(max_bodies=1, distribution=SIMPLE)
    kind = draw.one_of(tuple(OPPOSITE))
    scene = _placed(draw, scene, (replace(scene.bodies[0], motion=Motion(kind)),))
    body = scene.bodies[0]
    words = {
        "np": appearance(body, scene, draw.rng),
        "place": draw.one_of(phrases.PLACE[scene.place]),
        "way": OPPOSITE[kind],
    }
    vague_text = f"{vague_name(body, draw.rng)} {OPPOSITE[kind]}, then turn that around"
    return Puzzle(scene, draw.one_of(TURN).format(**words), vague_text)


def _count(draw: Draw) -> Puzzle:
    """How many of a list are wanted is a small sum."""
    many = int(draw.rng.integers(1, 3))
    scene = draw.scene(max_bodies=many, distribution=SIMPLE if many == 1 else PAIRS)
    still = tuple(replace(body, motion=Motion("still")) for body in scene.bodies)
    scene = _placed(draw, scene, still)
    named = list(scene.bodies)
    for _ in range(int(draw.rng.integers(1, 3)) if many == 1 else 1):
        company = tuple(named)
        named.append(stand_in(draw, named[0], company, place=scene.place, distribution=SIMPLE))
    things = [appearance(body, scene, draw.rng) for body in named]
    words = {
        "things": f"{', '.join(things[:-1])} and {things[-1]}",
        "count": draw.one_of(COUNTS[many]),
        "place": draw.one_of(phrases.PLACE[scene.place]),
    }
    return Puzzle(
        scene,
        draw.one_of(COUNT).format(**words),
        "{things}, {count} of them".format(**words),
    )


def _compare(draw: Draw) -> Puzzle:
    """Which of two bodies of an image moves is told by comparing them."""
    scene = draw.scene(distribution=PAIRS)
    moving = int(draw.rng.integers(2))
    kind = draw.one_of(tuple(DOES))
    motions = [Motion(kind if i == moving else "still") for i in range(2)]
    bodies = tuple(
        with_visible_spin(replace(body, motion=motion))
        for body, motion in zip(scene.bodies, motions, strict=True)
    )
    bodies = _placed(draw, scene, bodies).bodies
    mine, other = bodies[moving], bodies[1 - moving]
    left = mine.position[0] < other.position[0]
    smaller = draw.chance(0.5)
    which = draw.one_of(("size", "side", "not"))
    if which == "size":
        small = moving if smaller else 1 - moving
        bodies = tuple(
            replace(body, size=SMALLER * body.size) if i == small else body
            for i, body in enumerate(bodies)
        )
    said = {
        "size": "the smaller one" if smaller else "the larger one",
        "side": f"the one on the {'left' if left else 'right'}",
        "not": f"the one that is not {other.material.color}",
    }[which]
    text = draw.one_of(COMPARE).format(which=said, motion=DOES[kind])
    motion = draw.one_of(phrases.VAGUE_MOTION[kind])
    vague_text = f"{said} {motion} in @Image_1"
    return Puzzle(replace(scene, bodies=bodies), text, vague_text, (FIRST_FRAME,))


def _fall(draw: Draw) -> Puzzle:
    """A body in the air falls, and bounces."""
    scene = draw.scene(max_bodies=1, distribution=SIMPLE)
    body = replace(scene.bodies[0], motion=Motion("jump", phase=0.5))
    scene = _placed(draw, scene, (body,))
    text = draw.one_of(FALL).format(np=definite(body))
    return Puzzle(scene, text, draw.one_of(VAGUE_FALL), (FIRST_FRAME,))


PUZZLES: tuple[Callable[[Draw], Puzzle], ...] = (
    _riddle, _mix, _next_color, _other_way, _count, _compare, _fall,
)  # fmt: skip


def _colored(draw: Draw, colors: tuple[str, ...]) -> Scene:
    """A simple scene with one body in one of ``colors``."""
    fitting: tuple[str, ...] = ()
    while not fitting:
        scene = draw.scene(max_bodies=1, distribution=SIMPLE)
        fitting = tuple(c for c in colors if (scene.place, c) not in LOW_CONTRAST)
    body = scene.bodies[0]
    material = replace(body.material, color=draw.one_of(fitting))
    return replace(scene, bodies=(replace(body, material=material),))


def _words(draw: Draw, scene: Scene) -> dict[str, str]:
    """How to speak of a body whose colour is the question."""
    body = scene.bodies[0]
    kind, noun = body.motion.kind, NOUNS[body.kind][0]
    if kind in phrases.IN_PLACE:
        motion = draw.one_of(tuple(p[0] for p in phrases.IN_PLACE[kind])).format(adv="")
    else:
        motion = draw.one_of(phrases.TRAVEL[kind]).format(v="moves")
    return {
        "noun": f"a {noun}",
        "short": noun,
        "dressed": "dressed " if body.kind in CLOTHED else "",
        "motion": motion,
        "place": draw.one_of(phrases.PLACE[scene.place]),
    }


def _placed(draw: Draw, scene: Scene, bodies: tuple[Body, ...]) -> Scene:
    """``scene`` with ``bodies`` where their motions have room."""
    placed = arrange(draw.rng, bodies, distribution=SIMPLE)
    return replace(scene, bodies=tuple(fit_pace(body, draw.duration_s) for body in placed))


BUILDERS: dict[str, Builder] = {"C23": reasoning}
