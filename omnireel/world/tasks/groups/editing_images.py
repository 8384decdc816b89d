"""C11: several images take part in one edit of the given video."""

from __future__ import annotations

from dataclasses import replace

from omnireel.types import Role
from omnireel.world.captions import vague_name
from omnireel.world.captions.grammar import definite, relation
from omnireel.world.distribution import SceneDistribution
from omnireel.world.sampler import LOW_CONTRAST, ODD_WEATHER
from omnireel.world.scene import PLACES, Scene
from omnireel.world.tasks.casting import stand_in
from omnireel.world.tasks.plan import Builder, Draw, Footage, Given, Picture, Plan
from omnireel.world.tasks.portraits import portrait

TWO_BODIES = SceneDistribution(two_bodies=1.0, effect=0.0)
ONE_BODY = SceneDistribution(two_bodies=0.0, effect=0.0, other_style=0.0)
KINDS = ("both", "place", "company")

KEEP = (", keep everything else", ", leave the rest unchanged", "")
BOTH = (
    "Replace {a} in @Video_1 with @Image_1 and {b} with @Image_2{keep}.",
    "In @Video_1, swap {a} for @Image_1 and {b} for @Image_2{keep}.",
    "Change {a} of @Video_1 into @Image_1, and {b} into @Image_2{keep}.",
)
VAGUE_BOTH = ("@Image_1 not {na} and @Image_2 not {nb}", "swap {na} with @Image_1, {nb} @Image_2")
PLACE = (
    "Replace {a} in @Video_1 with @Image_1 and put it in the place of @Image_2.",
    "In @Video_1, swap {a} for @Image_1 and change the background to that of @Image_2.",
    "Put @Image_1 in the place of {a} in @Video_1, with the background of @Image_2.",
)
VAGUE_PLACE = ("@Image_1 instead, in @Image_2", "make it @Image_1 and the background @Image_2")
COMPANY = (
    "Replace {a} in @Video_1 with @Image_1 and add @Image_2 {rel}{keep}.",
    "In @Video_1, put @Image_1 in the place of {a} and @Image_2 {rel}{keep}.",
)
VAGUE_COMPANY = ("@Image_1 instead, and @Image_2 too", "make it @Image_1 plus @Image_2")


def several_images(draw: Draw) -> Plan:
    """Two subjects, or a subject and a place, come from two images."""
    kind = draw.one_of(KINDS)
    if kind == "place":
        return _with_place(draw)
    scene = draw.scene(distribution=TWO_BODIES)
    first, second = scene.bodies
    old = stand_in(draw, first, (second,), place=scene.place, distribution=TWO_BODIES)
    names = {"a": definite(old), "na": vague_name(old, draw.rng)}
    if kind == "both":
        other = stand_in(draw, second, (first, old), place=scene.place, distribution=TWO_BODIES)
        names |= {"b": definite(other), "nb": vague_name(other, draw.rng)}
        source = replace(scene, bodies=(old, other))
    else:
        source = replace(scene, bodies=(old,))
        names |= {"rel": relation(scene)[1]}
    patterns = (BOTH, VAGUE_BOTH) if kind == "both" else (COMPANY, VAGUE_COMPANY)
    pictures = (portrait(draw, first), portrait(draw, second))
    return _plan(draw, source, scene, patterns, names, pictures, (first.id, second.id))


def _with_place(draw: Draw) -> Plan:
    source = draw.scene(max_bodies=1, distribution=ONE_BODY)
    old = source.bodies[0]
    new = stand_in(draw, old, (), place=source.place, distribution=ONE_BODY)
    places = tuple(
        p
        for p in PLACES
        if p != source.place
        and (p, new.material.color) not in LOW_CONTRAST
        and (p, source.weather) not in ODD_WEATHER
    )
    scene = replace(source, bodies=(new,), place=draw.one_of(places))
    empty = replace(scene, bodies=())
    names = {"a": definite(old), "na": vague_name(old, draw.rng)}
    pictures = (portrait(draw, new), Picture(empty))
    return _plan(draw, source, scene, (PLACE, VAGUE_PLACE), names, pictures, ())


def _plan(
    draw: Draw,
    source: Scene,
    scene: Scene,
    patterns: tuple[tuple[str, ...], tuple[str, ...]],
    names: dict[str, str],
    pictures: tuple[Picture, Picture],
    edited: tuple[str, ...],
) -> Plan:
    keep = draw.one_of(KEEP)
    text, vague_text = (draw.one_of(p).format(keep=keep, **names) for p in patterns)
    given = (
        Given("Video_1", Role.SOURCE, (Footage(source),)),
        *(Given(f"Image_{i}", Role.REFERENCE, (p,)) for i, p in enumerate(pictures, start=1)),
    )
    return Plan(scene, text, vague_text, given, source_scene=source, edited=edited)


BUILDERS: dict[str, Builder] = {"C11": several_images}
