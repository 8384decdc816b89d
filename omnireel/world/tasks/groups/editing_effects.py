"""C9 and C10: an effect is added to the given video, or its subject is cut out of it."""

from __future__ import annotations

from dataclasses import replace

from omnireel.types import Role
from omnireel.world.captions import vague_name
from omnireel.world.captions.grammar import definite
from omnireel.world.distribution import SceneDistribution
from omnireel.world.lexicon import EFFECT_NOUNS, WEATHER_NOUNS
from omnireel.world.sampler import ODD_WEATHER
from omnireel.world.scene import EFFECTS, Clock, Scene
from omnireel.world.tasks.plan import Builder, Draw, Footage, Given, Matte, Plan

PLAIN = SceneDistribution(effect=0.0, other_weather=0.0, other_style=0.08)
NATURAL = SceneDistribution(effect=0.0, other_weather=0.0, other_style=0.0)
FALLING = ("rain", "snow", "fog")
"""Weathers that count as effects."""
KINDS = {"body": 0.6, "air": 0.2, "freeze": 0.2}
"""What the effect is on, and how often."""
GROUNDS = ("green", "blue", "white", "black")
MASK_SHARE = 0.35
"""Share of mattes that ask for the mask itself."""

KEEP = (", keep everything else", ", leave the rest unchanged", "", ". The rest stays the same")
ADD_EFFECT = (
    "Add {effect} to {np} in @Video_1{keep}.",
    "Put {effect} on {np} of @Video_1{keep}.",
    "In @Video_1, give {np} {effect}{keep}.",
    "Show {np} of @Video_1 with {effect}{keep}.",
)
VAGUE_EFFECT = ("{effect} please", "add {effect}", "{name} with {effect}", "{effect} on {name}")
ADD_AIR = (
    "Add {effect} to @Video_1{keep}.",
    "Let there be {effect} in @Video_1{keep}.",
    "Fill the air of @Video_1 with {effect}{keep}.",
)
VAGUE_AIR = ("{effect} please", "add {effect}", "more {effect} in the air")
FREEZE = (
    "Make everything in @Video_1 stand still{keep}.",
    "Stop all motion of @Video_1 at the first frame{keep}.",
    "Hold the first frame of @Video_1{keep}.",
)
VAGUE_FREEZE = ("stop it all", "hold it still", "no motion please")
CUT_OUT = (
    "Cut {np} out of @Video_1 and put {it} on a plain {ground} background.",
    "Replace everything but {np} in @Video_1 with plain {ground}.",
    "Show only {np} of @Video_1 on {ground}.",
    "Keep {np} of @Video_1 and make the background plain {ground}.",
)
VAGUE_CUT_OUT = ("{ground} background", "only {name} on {ground}", "cut {name} out, {ground}")
MASK = (
    "Make the matte of {np} in @Video_1: white where {it} is, black where {it} is not.",
    "Show the mask of {np} of @Video_1 in white on black.",
    "Turn {np} of @Video_1 white and everything else black.",
)
VAGUE_MASK = ("matte of {name}", "mask please, {name}", "{name} white and the rest black")
LET = {"rain": "falling rain", "snow": "falling snow", "fog": "thick fog"}


def special_effect(draw: Draw) -> Plan:
    """An effect on one body, in the air, or on time; the rest stays."""
    kind = tuple(KINDS)[int(draw.rng.choice(len(KINDS), p=list(KINDS.values())))]
    source = draw.scene(distribution=PLAIN)
    if kind == "freeze":
        return _freeze(draw, source)
    if kind == "air":
        fitting = tuple(w for w in FALLING if (source.place, w) not in ODD_WEATHER)
        if fitting:
            return _air(draw, source, draw.one_of(fitting))
    body = source.bodies[int(draw.rng.integers(len(source.bodies)))]
    effect = draw.one_of(EFFECTS[1:])
    noun = EFFECT_NOUNS[effect]
    noun = f"a {noun}" if effect == "glow" else noun
    text = draw.one_of(ADD_EFFECT).format(effect=noun, np=definite(body), keep=draw.one_of(KEEP))
    vague_text = draw.one_of(VAGUE_EFFECT).format(effect=effect, name=vague_name(body, draw.rng))
    scene = replace(source, effect=effect, effect_on=body.id)
    return _edit(source, scene, text, vague_text, (body.id,))


def _air(draw: Draw, source: Scene, weather: str) -> Plan:
    text = draw.one_of(ADD_AIR).format(effect=LET[weather], keep=draw.one_of(KEEP))
    vague_text = draw.one_of(VAGUE_AIR).format(effect=WEATHER_NOUNS[weather])
    return _edit(source, replace(source, weather=weather), text, vague_text, ())


def _freeze(draw: Draw, source: Scene) -> Plan:
    while all(body.motion.kind == "still" for body in source.bodies):
        source = draw.scene(distribution=PLAIN)
    text = draw.one_of(FREEZE).format(keep=draw.one_of(KEEP[:3]))
    scene = replace(source, clock=Clock(pace=0.0))
    edited = tuple(body.id for body in source.bodies)
    return _edit(source, scene, text, draw.one_of(VAGUE_FREEZE), edited)


def matting(draw: Draw) -> Plan:
    """One subject alone on a plain ground, or its mask in white on black."""
    source = draw.scene(distribution=NATURAL)
    body = source.bodies[0]
    words = {"np": definite(body), "it": "it", "name": vague_name(body, draw.rng)}
    if draw.chance(MASK_SHARE):
        matte, ground = Matte((body.id,)), ""
    else:
        taken = {body.material.color, body.skin, body.material.accent}
        ground = draw.one_of(tuple(g for g in GROUNDS if g not in taken))
        matte = Matte((body.id,), ground)
    patterns = (CUT_OUT, VAGUE_CUT_OUT) if ground else (MASK, VAGUE_MASK)
    text, vague_text = (draw.one_of(p).format(ground=ground, **words) for p in patterns)
    plan = _edit(source, replace(source, bodies=(body,)), text, vague_text, (body.id,))
    # The others still hide what they stand before, so the matte is made of the whole scene.
    return replace(plan, scene=source, matte=matte)


def _edit(source: Scene, scene: Scene, text: str, vague_text: str, edited: tuple[str, ...]) -> Plan:
    given = (Given("Video_1", Role.SOURCE, (Footage(source),)),)
    return Plan(scene, text, vague_text, given, source_scene=source, edited=edited)


BUILDERS: dict[str, Builder] = {"C9": special_effect, "C10": matting}
