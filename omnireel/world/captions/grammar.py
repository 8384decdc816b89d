"""From a scene to words: captions at four levels of detail.

What each level says of a scene (a test holds it to that):

========= =======================================================================================
terse     colour, kind and motion of every body; style when it is not natural
short     + place, texture, size word, worn props; weather and effect if there are any
full      + accent of textures, pace, left/right or front/back of two bodies, moving camera
elaborate + static camera; of a lone body also second colour (hair) and more about the place
========= =======================================================================================

A body can be called by a name instead (``names={"a": "@Hero"}``), and ``Borrowed`` says which facts
come from given media ("moves as in @Video_1"); that is how task prompts are made from captions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from omnireel.world import phrases
from omnireel.world.distribution import pick
from omnireel.world.lexicon import CLOTHED, NOUNS, TEXTURE_NOUNS
from omnireel.world.scene import CHARACTERS, SHAPES, Body, Level, Scene
from omnireel.world.staging import pace_word, size_word

LEVELS: tuple[Level, ...] = ("terse", "short", "full", "elaborate")
FULL = LEVELS.index("full")
FRONT_BACK_M = 1.2
"""Two bodies further apart in depth than this are in front of and behind each other."""
NO_NAMES: Mapping[str, str] = {}


@dataclass(frozen=True)
class Borrowed:
    """Facts that a caption takes from given media: each the mention to name, or "" for none."""

    place: str = ""
    motion: str = ""
    camera: str = ""


@dataclass(frozen=True)
class Wording:
    """How to say it: the level's rank, names to use for bodies, facts that media show."""

    scene: Scene
    rank: int
    rng: np.random.Generator | None
    """None: always the first, canonical phrase."""
    names: Mapping[str, str] = field(default_factory=dict)
    borrowed: Borrowed = Borrowed()

    def says(self, level: Level) -> bool:
        """Whether facts that belong to ``level`` and above are to be said."""
        return self.rank >= LEVELS.index(level)

    def one_of(self, options: tuple[str, ...]) -> str:
        """One of several equivalent phrases."""
        return options[0] if self.rng is None else pick(self.rng, options)


def caption(
    scene: Scene,
    level: Level,
    rng: np.random.Generator | None,
    *,
    names: Mapping[str, str] = NO_NAMES,
    borrowed: Borrowed = Borrowed(),
) -> str:
    """A caption of ``scene``; without ``rng`` its canonical wording.

    ``names`` maps body ids to what to call them.
    """
    words = Wording(scene, LEVELS.index(level), rng, names, borrowed)
    if level == "terse":
        text = " and ".join(_terse(body, words) for body in scene.bodies)
        parts = (text, _place(words), _style(words), camera_phrase(words))
        return ", ".join(part for part in parts if part)
    if len(scene.bodies) == 2:
        main, style_said = _pair(words), False
    else:
        main, style_said = _single(words)
    text = sentence(", ".join([main, *_adjuncts(words, style_said)]))
    return " ".join([text, *(sentence(s) for s in _extra_sentences(words))])


def definite(body: Body) -> str:
    """The shortest name that tells a body from its companion: "the red ball"."""
    words = Wording(Scene((body,)), LEVELS.index("terse"), None)
    return noun_phrase(body, words, article="the")


def appearance(body: Body, scene: Scene, rng: np.random.Generator) -> str:
    """All that identifies a body: "a striped red ball with white stripes"."""
    return noun_phrase(body, Wording(scene, FULL, rng))


def motion_of(body: Body, scene: Scene, rng: np.random.Generator) -> str:
    """What a body does, as a gerund: "rolling slowly to the right"."""
    return motion_phrase(body, Wording(scene, FULL, rng), gerund=True)


def sentence(text: str) -> str:
    """``text`` with a capital first letter and a full stop."""
    return text[:1].upper() + text[1:] + "."


def noun_phrase(body: Body, words: Wording, article: str = "a") -> str:
    """The body's name, or e.g. "a small striped red ball", to the detail of ``words``."""
    if body.id in words.names:
        return words.names[body.id]
    noun, color = NOUNS[body.kind][0], body.material.color
    texture = body.material.texture if words.says("short") else "plain"
    size = size_word(body, words.scene) if words.says("short") else ""
    adjectives = [words.one_of(phrases.SIZE[size])] if size else []
    tail: list[str] = []
    if body.kind in CLOTHED:
        clothes = phrases.CLOTHES if texture == "plain" else phrases.CLOTHES_TEXTURE
        tail.append(words.one_of(clothes).format(color=color, texture=texture))
    else:
        adjectives += [color] if texture == "plain" else [texture, color]
    if texture != "plain" and words.says("full"):
        detail = words.one_of(phrases.TEXTURE_DETAIL)
        tail.append(detail.format(accent=body.material.accent, texture_noun=TEXTURE_NOUNS[texture]))
    if words.says("short"):
        tail += [
            words.one_of(phrases.WEARS[p]).format(colored=with_article(c)) for p, c in body.wears
        ]
    phrase = " ".join([*adjectives, noun, *tail])
    return f"{with_article(phrase)}" if article == "a" else f"{article} {phrase}".strip()


def with_article(phrase: str) -> str:
    """The phrase after "a" or "an"."""
    return f"an {phrase}" if phrase[0] in "aeiou" else f"a {phrase}"


def motion_phrase(body: Body, words: Wording, *, gerund: bool) -> str:
    """What the body does, e.g. "rolls slowly to the right" (gerund: "rolling ...")."""
    if words.borrowed.motion:
        pattern = words.one_of(phrases.BORROWED_MOTION[1 if gerund else 0])
        return pattern.format(name=words.borrowed.motion)
    kind = body.motion.kind
    pace = pace_word(body, words.scene)
    adverb = f" {phrases.ADVERBS[pace]}" if pace and words.says("full") else ""
    form = 1 if gerund else 0
    if kind in phrases.IN_PLACE:
        options = tuple(pair[form] for pair in phrases.IN_PLACE[kind])
        return words.one_of(options).format(adv=adverb)
    return words.one_of(phrases.TRAVEL[kind]).format(v=_verb(body, words, form) + adverb)


def camera_phrase(words: Wording) -> str:
    """What the camera does, or "" where the level leaves it unsaid."""
    if words.borrowed.camera:
        return words.one_of(phrases.BORROWED_CAMERA).format(name=words.borrowed.camera)
    move = words.scene.camera.move
    if not words.says("elaborate" if move == "static" else "full"):
        return ""
    return words.one_of(phrases.CAMERA[move])


def relation(scene: Scene) -> tuple[str, str]:
    """Where the first and the second of two bodies stand relative to each other."""
    first, second = scene.bodies
    if abs(first.position[2] - second.position[2]) > FRONT_BACK_M:
        front, behind = phrases.RELATION["front"]
        nearer = first.position[2] > second.position[2]
        return (front, behind) if nearer else (behind, front)
    return phrases.RELATION["left" if first.position[0] < second.position[0] else "right"]


def _terse(body: Body, words: Wording) -> str:
    noun = noun_phrase(body, words, article="")
    if words.borrowed.motion:
        return f"{noun} {motion_phrase(body, words, gerund=True)}"
    motion = words.one_of(phrases.TERSE_MOTION[body.motion.kind])
    return f"{noun} {motion.format(v=_verb(body, words, 1))}"


def _verb(body: Body, words: Wording, form: int) -> str:
    group = "ball" if body.kind == "ball" else "shape" if body.kind in SHAPES else "character"
    if body.id in words.names:
        return "moving" if form else "moves"
    return words.one_of(tuple(pair[form] for pair in phrases.VERBS[group]))


def _single(words: Wording) -> tuple[str, bool]:
    """The main clause, and whether it names the style already ("a pencil drawing of ...")."""
    body = words.scene.bodies[0]
    place = _place(words)
    pattern = words.one_of(phrases.SENTENCES if place else phrases.SENTENCES_NO_PLACE)
    names_style = "{lead}" in pattern
    lead = phrases.STYLE_LEAD[words.scene.style]
    text = pattern.format(
        np=noun_phrase(body, words),
        finite=motion_phrase(body, words, gerund=False),
        gerund=motion_phrase(body, words, gerund=True),
        place=place,
        lead=words.one_of(lead),
    )
    return text, names_style


def _pair(words: Wording) -> str:
    place = _place(words)
    where = relation(words.scene) if words.says("full") else ("", "")
    clauses = [
        " ".join(
            part
            for part in (
                noun_phrase(body, words),
                rel,
                motion_phrase(body, words, gerund=False),
                _effect(words) if body.id == words.scene.effect_on else "",
            )
            if part
        )
        for body, rel in zip(words.scene.bodies, where, strict=True)
    ]
    both = words.one_of(phrases.JOIN_TWO).format(first=clauses[0], second=clauses[1])
    if not place:
        return both
    return words.one_of(phrases.SENTENCES_TWO).format(both=both, place=place)


def _place(words: Wording) -> str:
    """Where it happens."""
    if words.borrowed.place:
        return words.one_of(phrases.BORROWED_PLACE).format(name=words.borrowed.place)
    return words.one_of(phrases.PLACE[words.scene.place]) if words.says("short") else ""


def _effect(words: Wording) -> str:
    """The effect as a phrase, or "" where there is none to speak of."""
    if words.scene.effect == "none" or not words.says("short"):
        return ""
    return words.one_of(phrases.EFFECT[words.scene.effect])


def _style(words: Wording) -> str:
    """The style as a phrase, or "" for the natural one."""
    style = words.scene.style
    return "" if style == "natural" else words.one_of(phrases.STYLE[style])


def _adjuncts(words: Wording, style_said: bool) -> list[str]:
    """Weather, style, effect and camera as phrases to hang on the main clause."""
    scene, out = words.scene, []
    if scene.weather != "clear" and words.says("short"):
        out.append(words.one_of(phrases.WEATHER[scene.weather]))
    effect = _effect(words) if len(scene.bodies) == 1 else ""
    out += [effect] if effect else []
    style = "" if style_said else _style(words)
    out += [style] if style else []
    camera = camera_phrase(words)
    if camera and (words.rank == FULL or words.borrowed.camera):
        out.append(camera)
    return out


def _extra_sentences(words: Wording) -> list[str]:
    """The sentences that only an elaborate caption has."""
    if words.rank <= FULL:
        return []
    out: list[str] = []
    if len(words.scene.bodies) == 1:  # two bodies already make a long sentence
        body = words.scene.bodies[0]
        if body.kind in CHARACTERS and body.id not in words.names:
            noun = NOUNS[body.kind][0]
            options = phrases.HAIR if body.kind in CLOTHED else phrases.SKIN
            out.append(words.one_of(options).format(noun=noun, skin=body.skin))
        if not words.borrowed.place:
            out.append(words.one_of(phrases.PLACE_DETAIL[words.scene.place]))
    camera = "" if words.borrowed.camera else camera_phrase(words)
    return [*out, camera or words.one_of(phrases.LIGHT)]
