"""Words for the facts of a scene, and the closed vocabulary that they make.

Everything a caption or a task prompt can say is in :func:`vocabulary`; tokenizers are built from
it. Phrases are data (tables of this module and of ``phrases.py``); ``captions.py`` only joins them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from omnireel.world import phrases
from omnireel.world.scene import COLORS

NOUNS: dict[str, tuple[str, ...]] = {
    "ball": ("ball", "sphere"),
    "cube": ("cube", "box", "block"),
    "cone": ("cone", "pyramid"),
    "cylinder": ("cylinder", "tube"),
    "ring": ("ring", "hoop"),
    "star": ("star",),
    "robot": ("robot", "android"),
    "cat": ("cat", "kitten", "kitty"),
    "bunny": ("bunny", "rabbit"),
    "girl": ("girl", "kid"),
    "boy": ("boy", "kid"),
    "bear": ("bear", "teddy"),
}
"""Nouns of each kind: the first is the one that precise captions use, the rest are what people
say carelessly."""

CLOTHED = frozenset({"girl", "boy"})
"""Kinds whose colour is their clothes ("a girl in red"); all others are coloured themselves."""

TEXTURE_NOUNS = {"striped": "stripes", "dotted": "dots", "checkered": "checks"}

STYLE_NOUNS: dict[str, str] = {
    "natural": "natural",
    "pencil": "pencil drawing",
    "watercolor": "watercolor painting",
    "pixel": "pixel art",
    "neon": "neon",
    "sepia": "old sepia film",
    "toon": "cartoon",
}
"""The name of each style as a short noun, used by structured prompts and edit instructions."""

PLACE_NOUNS: dict[str, str] = {
    "meadow": "green meadow",
    "desert": "sandy desert",
    "beach": "sunny beach",
    "snowfield": "snowy field",
    "city": "city street",
    "studio": "plain studio",
    "room": "cozy room",
    "night": "dark night field",
}

WEATHER_NOUNS: dict[str, str] = {
    "clear": "clear weather",
    "fog": "fog",
    "rain": "rain",
    "snow": "falling snow",
    "sunset": "sunset light",
}

CAMERA_NOUNS: dict[str, str] = {
    "static": "static camera",
    "pan_left": "camera pans left",
    "pan_right": "camera pans right",
    "zoom_in": "camera zooms in",
    "zoom_out": "camera zooms out",
    "orbit": "camera orbits around",
    "rise": "camera rises",
    "shake": "camera shakes",
}

EFFECT_NOUNS: dict[str, str] = {
    "none": "no effect",
    "sparkles": "sparkles",
    "fire": "fire",
    "bubbles": "bubbles",
    "glow": "soft glow",
}

INSTRUCTION_WORDS = """
a above according action add added adopt after again all along also an and angle animate another
apply arrow as at away back background be before begin begins behind below best between both box
bring but by camera change changed character clean clip closer clothes color combine comes
complete continue continues copy cut cutout delete different do does draw drawing drawn dress
each edit effect element else end ends erase every everything exactly exist fewer fill film
final finally first follow following follows for foreground four frame frames from full gets
give go goes grid happens has have her here high his hold holds how if image in insert instead
into is it its join keep keeps kept larger largest last later leave less let life like lines
live look looks low made make makes marked mask matching matte more morph motion move moved
movement moves moving must near new next no not nothing now object of off on one only onto or
original other out over paint painted panel panels path person photo pick picture place play
please previous put recolor recolored redraw reference remain remains remove render repeat
replace rest restyle result reveal rotate same scene second seen sequence set shape shot should
show shown shows side simple sketch smaller smallest so some start starts stay still stop story
storyboard style subject swap switch take takes texture than that the their them then there they
thing third this three through to together too top toward transfer transform turn turns two
unchanged under unedited until up use using version video view viewpoint wall want wearing wears
weather what when where which while whole with without word world you
"""
"""Words of editing and reference instructions. The list is closed and covers all capabilities,
implemented or not, so that the token ids of a trained model survive a new task."""


MARKS = (",", ".", ";")
"""Punctuation in captions and instructions."""


def words_of(text: str) -> list[str]:
    """Lower-case words of ``text``, without punctuation, ``{slots}`` and ``@mentions``."""
    text = re.sub(r"\{[^}]*\}|@\w+", " ", text.lower())
    return re.findall(r"[a-z]+", text)


def vocabulary() -> tuple[str, ...]:
    """Every word and mark that captions, vague prompts and instructions can contain, sorted."""
    tables = [v for k, v in vars(phrases).items() if k.isupper()]
    tables += [NOUNS, STYLE_NOUNS, PLACE_NOUNS, WEATHER_NOUNS, CAMERA_NOUNS, EFFECT_NOUNS]
    tables += [TEXTURE_NOUNS, COLORS, INSTRUCTION_WORDS]
    words = {word for text in _strings(tables) for word in words_of(text)}
    return tuple(sorted(words | set(MARKS)))


def _strings(table: object) -> Iterator[str]:
    """All strings in nested tuples and mappings (keys are names of facts, so they count too)."""
    if isinstance(table, str):
        yield table.replace("_", " ")
    elif isinstance(table, Mapping):
        yield from _strings(tuple(table.keys()))
        yield from _strings(tuple(table.values()))
    elif isinstance(table, Iterable):
        for item in table:
            yield from _strings(item)
