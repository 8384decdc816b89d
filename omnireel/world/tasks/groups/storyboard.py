"""C24: the panels of a storyboard become a film.

Either one take, whose moments the panels show, or four shots in which the same cast is in one place
after another. Panels are read from left to right and from top to bottom.
"""

from __future__ import annotations

from dataclasses import replace

from omnireel.types import Role
from omnireel.world import phrases
from omnireel.world.captions import caption, vague
from omnireel.world.captions.grammar import Borrowed, definite
from omnireel.world.captions.told import left_open
from omnireel.world.distribution import SceneDistribution
from omnireel.world.sampler import LOW_CONTRAST, ODD_WEATHER
from omnireel.world.scene import PLACES, Scene
from omnireel.world.tasks.plan import Builder, Draw, Given, Plan, Storyboard

TAKES = SceneDistribution(effect=0.0, small=0.0)
SHOTS = SceneDistribution(effect=0.0, small=0.0, other_weather=0.0, moving_camera=0.0)
CUTS = 0.5
"""Share of storyboards whose panels are shots of their own."""
NINE = 0.3
"""Share of takes whose storyboard has nine panels."""
SHOWN = Borrowed(place="@Image_1")

TAKE = (
    "Turn the storyboard @Image_1 into one shot. {caption}",
    "The panels of @Image_1 show parts of one shot. {caption}",
    "@Image_1 is a storyboard, follow it panel after panel. {caption}",
)
VAGUE_TAKE = ("film of @Image_1", "animate the storyboard @Image_1", "@Image_1 {vague}")
STORY = (
    "Turn the storyboard @Image_1 into a film: {np}, first {first}, then {second}, then {third} "
    "and last {fourth}.",
    "Film the four panels of @Image_1 one after another: {np} {first}, {second}, {third} and "
    "{fourth}.",
    "The story of @Image_1 in four parts, {np} {first}, next {second}, next {third}, at the end "
    "{fourth}.",
)
VAGUE_STORY = ("film of the storyboard @Image_1", "make a film with @Image_1", "the story @Image_1")


def storyboard(draw: Draw) -> Plan:
    """A grid of four or nine panels becomes a film that goes through them in order."""
    return _story(draw) if draw.chance(CUTS) else _take(draw)


def _take(draw: Draw) -> Plan:
    scene = draw.scene(distribution=TAKES)
    while scene.bodies[0].motion.kind == "still" and scene.camera.move == "static":
        scene = draw.scene(distribution=TAKES)  # its panels would all be alike
    level = draw.level()
    said = caption(scene, level, draw.rng, borrowed=SHOWN)
    said = said if said.endswith(".") else f"{said}."
    side = 3 if draw.chance(NINE) else 2
    return Plan(
        scene,
        draw.one_of(TAKE).format(caption=said[:1].upper() + said[1:]),
        draw.one_of(VAGUE_TAKE).format(vague=vague(scene, draw.rng)),
        (Given("Image_1", Role.STORYBOARD, (Storyboard(side),)),),
        left_open=left_open(level, SHOWN) - {"weather", "camera"},
    )


def _story(draw: Draw) -> Plan:
    """Four shots of one cast: they differ in their place."""
    first = draw.scene(distribution=SHOTS)
    colors = {body.material.color for body in first.bodies}
    fitting = [
        place
        for place in PLACES
        if place != first.place
        and (place, first.weather) not in ODD_WEATHER
        and not any((place, color) in LOW_CONTRAST for color in colors)
    ]
    order = draw.rng.permutation(len(fitting))[:3]
    shots: list[Scene] = [first, *(replace(first, place=fitting[int(i)]) for i in order)]
    words = [draw.one_of(phrases.PLACE[shot.place]) for shot in shots]
    who = " and ".join(definite(body) for body in first.bodies)
    keys = ("first", "second", "third", "fourth")
    return Plan(
        first,
        draw.one_of(STORY).format(np=who, **dict(zip(keys, words, strict=True))),
        draw.one_of(VAGUE_STORY),
        (Given("Image_1", Role.STORYBOARD, (Storyboard(2),)),),
        cuts=tuple(shots[1:]),
    )


BUILDERS: dict[str, Builder] = {"C24": storyboard}
