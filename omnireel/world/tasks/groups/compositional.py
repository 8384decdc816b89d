"""C21: two to four changes of the given video in one request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from omnireel.types import Role
from omnireel.world.captions import vague_name
from omnireel.world.captions.grammar import appearance, definite
from omnireel.world.distribution import SceneDistribution
from omnireel.world.lexicon import EFFECT_NOUNS, PLACE_NOUNS, STYLE_NOUNS, WEATHER_NOUNS
from omnireel.world.sampler import LOW_CONTRAST, ODD_WEATHER
from omnireel.world.scene import EFFECTS, PLACES, STYLES, WEATHERS, Body, Scene
from omnireel.world.tasks.casting import stand_in
from omnireel.world.tasks.groups.editing_look import fitting_colors
from omnireel.world.tasks.plan import Builder, Draw, Footage, Given, Plan
from omnireel.world.tasks.portraits import portrait

NATURAL = SceneDistribution(other_style=0.0, effect=0.0, two_bodies=0.5, textured=0.15)
MOST, FEWEST = 4, 2
OPENINGS = ("In @Video_1, {changes}.", "{changes} in @Video_1.", "Edit @Video_1: {changes}.")
KEEP = ("", " Keep everything else.", " The rest stays the same.")
VAGUE = ("{changes} please", "{changes}", "i want this: {changes}")


@dataclass(frozen=True)
class Change:
    """One change: the new scene, its clause, its careless clause and what it needs."""

    scene: Scene
    clause: str
    loose: str
    given: tuple[Given, ...] = ()


Changer = Callable[[Draw, Scene], Change | None]


def compositional(draw: Draw) -> Plan:
    """Changes of different kinds, one after another."""
    source = draw.scene(distribution=NATURAL)
    wanted = int(draw.rng.integers(FEWEST, MOST + 1))
    scene, changes = source, list[Change]()
    for i in draw.rng.permutation(len(CHANGERS)):
        change = CHANGERS[int(i)](draw, scene)
        if change is not None and len(changes) < wanted:
            changes.append(change)
            scene = change.scene
    clauses = _join([c.clause for c in changes])
    pattern = draw.one_of(OPENINGS)
    said = clauses if not pattern.startswith("{") else clauses[:1].upper() + clauses[1:]
    given = (
        Given("Video_1", Role.SOURCE, (Footage(source),)),
        *(g for c in changes for g in c.given),
    )
    return Plan(
        scene,
        pattern.format(changes=said) + draw.one_of(KEEP),
        draw.one_of(VAGUE).format(changes=", ".join(c.loose for c in changes)),
        given,
        source_scene=source,
        edited=(),
    )


def _subject(draw: Draw, scene: Scene) -> Change | None:
    """The first body is replaced, by words or by an image, or painted anew."""
    old = scene.bodies[0]
    way = draw.one_of(("words", "image", "color"))
    if way == "color":
        colors = fitting_colors(scene)
        if not colors:
            return None
        color = draw.one_of(colors)
        new = replace(old, material=replace(old.material, color=color))
        clause = f"make {definite(old)} {color}"
        return Change(_with_first(scene, new), clause, f"{vague_name(old, draw.rng)} {color}")
    new = stand_in(draw, old, scene.bodies[1:], place=scene.place, distribution=NATURAL)
    changed = _with_first(scene, new)
    if way == "image":
        given = (Given("Image_1", Role.REFERENCE, (portrait(draw, new),)),)
        return Change(changed, f"replace {definite(old)} with @Image_1", "@Image_1 instead", given)
    clause = f"replace {definite(old)} with {appearance(new, changed, draw.rng)}"
    return Change(changed, clause, f"{vague_name(new, draw.rng, definite=False)} instead")


def _without(draw: Draw, scene: Scene) -> Change | None:
    """The second body goes."""
    if len(scene.bodies) == 1:
        return None
    gone = scene.bodies[1]
    left = replace(scene, bodies=scene.bodies[:1])
    return Change(left, f"remove {definite(gone)}", f"no {vague_name(gone, draw.rng)}")


def _place(draw: Draw, scene: Scene) -> Change | None:
    colors = {body.material.color for body in scene.bodies}
    fitting = tuple(
        p
        for p in PLACES
        if p != scene.place
        and (p, scene.weather) not in ODD_WEATHER
        and not any((p, color) in LOW_CONTRAST for color in colors)
    )
    place = draw.one_of(fitting)
    clause = f"change the background to a {PLACE_NOUNS[place]}"
    return Change(replace(scene, place=place), clause, f"background {PLACE_NOUNS[place]}")


def _weather(draw: Draw, scene: Scene) -> Change | None:
    fitting = tuple(
        w for w in WEATHERS[1:] if w != scene.weather and (scene.place, w) not in ODD_WEATHER
    )
    if not fitting or scene.style != "natural":  # a drawing hides the weather
        return None
    weather = draw.one_of(fitting)
    noun = WEATHER_NOUNS[weather]
    return Change(replace(scene, weather=weather), f"change the weather to {noun}", noun)


def _style(draw: Draw, scene: Scene) -> Change | None:
    if scene.weather != "clear":
        return None
    style = draw.one_of(STYLES[1:])
    noun = STYLE_NOUNS[style]
    noun = f"{noun} style" if style == "neon" else noun
    return Change(replace(scene, style=style), f"turn everything into {noun}", noun)


def _effect(draw: Draw, scene: Scene) -> Change | None:
    effect = draw.one_of(EFFECTS[1:])
    changed = replace(scene, effect=effect, effect_on=scene.bodies[0].id)
    return Change(changed, f"add {EFFECT_NOUNS[effect]} to {definite(scene.bodies[0])}", effect)


CHANGERS: tuple[Changer, ...] = (_subject, _without, _place, _weather, _style, _effect)


def _with_first(scene: Scene, body: Body) -> Scene:
    return replace(scene, bodies=(body, *scene.bodies[1:]))


def _join(clauses: list[str]) -> str:
    if len(clauses) == 1:
        return clauses[0]
    return f"{', '.join(clauses[:-1])} and {clauses[-1]}"


BUILDERS: dict[str, Builder] = {"C21": compositional}
