"""C7 and C8: the style of the given video, or one attribute of it, changes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from omnireel.types import Role
from omnireel.world import phrases
from omnireel.world.captions import vague_name
from omnireel.world.captions.grammar import definite
from omnireel.world.distribution import SceneDistribution
from omnireel.world.lexicon import CLOTHED, PLACE_NOUNS, STYLE_NOUNS, TEXTURE_NOUNS, WEATHER_NOUNS
from omnireel.world.sampler import ACCENTS, DEFAULT_ACCENTS, LOW_CONTRAST, ODD_WEATHER
from omnireel.world.scene import COLORS, PLACES, STYLES, TEXTURES, WEATHERS, Scene
from omnireel.world.tasks.plan import Builder, Draw, Footage, Given, Plan

NATURAL = SceneDistribution(other_style=0.0, effect=0.0)
CLEAR = SceneDistribution(other_style=0.0, effect=0.0, other_weather=0.0)
INDOORS = ("studio", "room")
ATTRIBUTES = {"color": 0.4, "texture": 0.2, "weather": 0.2, "place": 0.2}
"""What C8 changes, and how often."""

KEEP = (", keep everything else", ", keep everything else", "", ", leave the rest unchanged")
STYLISE = (
    "Turn @Video_1 into {style}.",
    "Restyle @Video_1 as {style}.",
    "Change the style of @Video_1 to {style}, keep the motion.",
    "Make @Video_1 look like {style}.",
)
VAGUE_STYLISE = ("{style} please", "make it {style}", "{style} look", "i want {style}")
RECOLOR = (
    "Make {np} {color}{keep}.",
    "Change the color of {np} in @Video_1 to {color}{keep}.",
    "In @Video_1, paint {np} {color}{keep}.",
    "Recolor {np} to {color}{keep}.",
)
RECLOTHE = (
    "Dress {np} in {color}{keep}.",
    "Change the clothes of {np} in @Video_1 to {color}{keep}.",
)
VAGUE_RECOLOR = ("make it {color}", "{color} instead", "{name} {color}", "{color} please")
RETEXTURE = (
    "Give {np} {accent} {texture}{keep}.",
    "Put {accent} {texture} on {np} in @Video_1{keep}.",
    "In @Video_1, add {accent} {texture} to {np}{keep}.",
)
VAGUE_RETEXTURE = ("{texture} on it", "add {texture}", "{name} with {texture}")
WEATHER = (
    "Change the weather of @Video_1 to {weather}{keep}.",
    "Put @Video_1 in {weather}{keep}.",
    "Show @Video_1 in {weather}{keep}.",
)
VAGUE_WEATHER = ("more {weather}", "make it {weather}", "with {weather} please")
PLACE = (
    "Change the background of @Video_1 to a {place}{keep}.",
    "Move @Video_1 to a {place}{keep}.",
    "Put {np} of @Video_1 in a {place}{keep}.",
)
VAGUE_PLACE = ("other background, {place}", "put it in {place}", "{place} instead")


@dataclass(frozen=True)
class Change:
    """The edited scene and the words for it; ``edited`` as in ``Plan``."""

    scene: Scene
    text: str
    vague_text: str
    edited: tuple[str, ...] = ()


def stylisation(draw: Draw) -> Plan:
    """The whole clip is drawn in another style."""
    source = draw.scene(distribution=NATURAL)
    style = draw.one_of(STYLES[1:])
    noun = STYLE_NOUNS[style]
    named = f"{noun} style" if style == "neon" else noun if style == "pixel" else f"a {noun}"
    named = f"an {noun}" if noun[0] == "o" else named
    text = draw.one_of(STYLISE).format(style=named)
    loose = draw.one_of(phrases.VAGUE_STYLE[style])
    vague_text = draw.one_of(VAGUE_STYLISE).format(style=loose)
    return _plan(source, Change(replace(source, style=style), text, vague_text))


def attribute(draw: Draw) -> Plan:
    """The colour or texture of the first body, the weather or the place changes."""
    change = tuple(ATTRIBUTES)[int(draw.rng.choice(len(ATTRIBUTES), p=list(ATTRIBUTES.values())))]
    if change == "weather":
        return _weather(draw)
    source = draw.scene(distribution=NATURAL)
    if change == "place":
        return _plan(source, _place(draw, source))
    if change == "texture":
        return _plan(source, _texture(draw, source))
    while not fitting_colors(source):  # a rare scene leaves its subject no other clear colour
        source = draw.scene(distribution=NATURAL)
    return _plan(source, _color(draw, source))


def _color(draw: Draw, source: Scene) -> Change:
    body = source.bodies[0]
    color = draw.one_of(fitting_colors(source))
    new = replace(body, material=replace(body.material, color=color))
    clothed = body.kind in CLOTHED
    return Change(
        replace(source, bodies=(new, *source.bodies[1:])),
        draw.one_of(RECLOTHE if clothed else RECOLOR).format(
            np=definite(body), color=color, keep=draw.one_of(KEEP)
        ),
        draw.one_of(VAGUE_RECOLOR).format(color=color, name=vague_name(body, draw.rng)),
        (body.id,),
    )


def fitting_colors(scene: Scene) -> tuple[str, ...]:
    """Other colours in which the first body still stands out."""
    return tuple(c for c in COLORS if _color_suits(c, scene))


def _color_suits(color: str, scene: Scene) -> bool:
    """Whether the first body can take ``color`` and still stand out, texture included."""
    body = scene.bodies[0]
    if color in {b.material.color for b in scene.bodies} | {body.skin}:
        return False
    accents = ACCENTS.get(color, DEFAULT_ACCENTS)
    readable = body.material.texture == "plain" or body.material.accent in accents
    return readable and (scene.place, color) not in LOW_CONTRAST


def _texture(draw: Draw, source: Scene) -> Change:
    body = source.bodies[0]
    texture = draw.one_of(tuple(t for t in TEXTURES[1:] if t != body.material.texture))
    accent = draw.one_of(ACCENTS.get(body.material.color, DEFAULT_ACCENTS))
    new = replace(body, material=replace(body.material, texture=texture, accent=accent))
    words = {"accent": accent, "texture": TEXTURE_NOUNS[texture]}
    return Change(
        replace(source, bodies=(new, *source.bodies[1:])),
        draw.one_of(RETEXTURE).format(np=definite(body), keep=draw.one_of(KEEP), **words),
        draw.one_of(VAGUE_RETEXTURE).format(name=vague_name(body, draw.rng), **words),
        (body.id,),
    )


def _weather(draw: Draw) -> Plan:
    while True:  # three places in four are outdoors
        source = draw.scene(distribution=CLEAR)
        if source.place not in INDOORS:
            break
    fitting = tuple(w for w in WEATHERS[1:] if (source.place, w) not in ODD_WEATHER)
    noun = WEATHER_NOUNS[weather := draw.one_of(fitting)]
    change = Change(
        replace(source, weather=weather),
        draw.one_of(WEATHER).format(weather=noun, keep=draw.one_of(KEEP)),
        draw.one_of(VAGUE_WEATHER).format(weather=noun),
    )
    return _plan(source, change)


def _place(draw: Draw, source: Scene) -> Change:
    hidden = {p for b in source.bodies for p in PLACES if (p, b.material.color) in LOW_CONTRAST}
    hidden |= {p for p in PLACES if (p, source.weather) in ODD_WEATHER}
    place = draw.one_of(tuple(p for p in PLACES if p != source.place and p not in hidden))
    return Change(
        replace(source, place=place),
        draw.one_of(PLACE).format(
            place=PLACE_NOUNS[place], np=definite(source.bodies[0]), keep=draw.one_of(KEEP)
        ),
        draw.one_of(VAGUE_PLACE).format(place=draw.one_of(phrases.VAGUE_PLACE[place])),
    )


def _plan(source: Scene, change: Change) -> Plan:
    given = (Given("Video_1", Role.SOURCE, (Footage(source),)),)
    return Plan(
        change.scene,
        change.text,
        change.vague_text,
        given,
        source_scene=source,
        edited=change.edited,
    )


BUILDERS: dict[str, Builder] = {"C7": stylisation, "C8": attribute}
