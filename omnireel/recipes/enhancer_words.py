"""Words for the tiny enhancer: its vocabulary, the facts it must keep, and careless wording.

The procedural world knows how its own captions say a fact; here is how else people say it.
"""

from __future__ import annotations

from collections.abc import Mapping

from omnireel.enhancer.tiny.facts import Fact, Lexicon
from omnireel.world import lexicon as world
from omnireel.world import phrases
from omnireel.world.scene import CAMERA_MOVES, COLORS, EFFECTS, PROPS
from omnireel.world.tasks.groups.shots import ANGLES

COLOR_WORDS: dict[str, tuple[str, ...]] = {
    "red": ("crimson", "scarlet", "ruby"),
    "orange": ("amber", "tangerine"),
    "yellow": ("golden", "lemon"),
    "green": ("emerald", "lime"),
    "teal": ("turquoise", "cyan", "aqua"),
    "blue": ("azure", "navy", "cobalt"),
    "purple": ("violet", "lilac"),
    "pink": ("magenta", "fuchsia"),
    "white": ("ivory",),
    "black": ("ebony",),
}
KIND_WORDS: dict[str, tuple[str, ...]] = {
    "ball": ("orb", "globe"),
    "cube": ("dice", "crate"),
    "cone": ("funnel",),
    "cylinder": ("pillar", "barrel"),
    "ring": ("donut", "torus"),
    "robot": ("bot", "droid"),
    "cat": ("feline",),
    "bunny": ("hare",),
    "girl": ("lass", "woman"),
    "boy": ("lad", "guy"),
    "bear": ("grizzly",),
}
MOTION_WORDS: dict[str, tuple[str, ...]] = {
    "still": ("motionless", "standing there"),
    "move_right": ("heading right", "moves right", "rolling right", "rolls right"),
    "move_left": ("heading left", "moves left", "rolling left", "rolls left"),
    "approach": ("approaching", "coming closer", "comes closer"),
    "recede": ("retreating", "moving away", "moves away"),
    "jump": ("leaping", "bouncing", "jumps", "hops", "leaps", "bounces"),
    "spin": ("whirling", "twirling", "spins", "rotates"),
    "circle": ("circling",),
}
MOTION_WRITTEN: dict[str, tuple[str, ...]] = {
    "still": ("still", "stands still", "stays still"),
    "move_right": (
        "from left to right", "to the right", "right across the frame", "moving right",
        "sliding right", "walking right", "rolling right",
    ),
    "move_left": (
        "from right to left", "to the left", "left across the frame", "moving left",
        "sliding left", "walking left", "rolling left",
    ),
    "approach": ("toward the camera", "closer to the camera", "toward us", "closer"),
    "recede": ("away from the camera", "away into the distance", "away from us"),
    "jump": ("jumps", "jumping", "bounces", "bouncing"),
    "spin": ("spins", "spinning", "turns", "turning"),
    "circle": ("in a circle",),
}  # fmt: skip
PLACE_WORDS: dict[str, tuple[str, ...]] = {
    "meadow": ("lawn", "garden", "park"),
    "desert": ("dunes", "sahara"),
    "beach": ("shore", "seaside"),
    "snowfield": ("arctic", "snowy landscape"),
    "city": ("downtown", "urban street"),
    "studio": ("blank background",),
    "room": ("bedroom", "house", "inside"),
    "night": ("midnight", "nighttime"),
}
PLACE_WRITTEN: dict[str, tuple[str, ...]] = {
    "snowfield": ("snowy field", "white snow", "snowfield"),
}
STYLE_WORDS: dict[str, tuple[str, ...]] = {
    "pencil": ("sketch", "pencil drawing"),
    "watercolor": ("aquarelle",),
    "pixel": ("pixelated", "retro game"),
    "neon": ("cyberpunk",),
    "sepia": ("old film", "retro film"),
    "toon": ("cartoonish", "comic"),
}
STYLE_WRITTEN: dict[str, tuple[str, ...]] = {"pixel": ("pixel art",), "toon": ("cartoon",)}
CAMERA_WRITTEN: dict[str, tuple[str, ...]] = {
    "pan_left": ("pans to the left", "pans left"),
    "pan_right": ("pans to the right", "pans right"),
    "zoom_in": ("zooms in",),
    "zoom_out": ("zooms out",),
    "orbit": ("orbits around", "orbits around the scene"),
    "rise": ("rises", "rises up high"),
    "shake": ("shakes", "shakes as if held by hand"),
}
CAMERA_WORDS: dict[str, tuple[str, ...]] = {
    "pan_left": ("pan left",),
    "pan_right": ("pan right",),
    "zoom_in": ("zoom in", "zooming in"),
    "zoom_out": ("zoom out", "zooming out"),
    "orbit": ("orbiting camera",),
    "rise": ("rising camera",),
    "shake": ("shaky camera", "handheld"),
}
VIEW_NAMES = {"near": "closer", "far": "distance"}
"""Where a view has another name here: one of a word that captions know."""
EFFECT_WRITTEN: dict[str, tuple[str, ...]] = {
    "sparkles": ("sparkles",),
    "fire": ("fire",),
    "bubbles": ("bubbles",),
    "glow": ("glow", "soft glow"),
}
WEATHER_WRITTEN: dict[str, tuple[str, ...]] = {
    "fog": ("fog", "foggy"),
    "rain": ("rain", "rainy"),
    "snow": ("falling snow", "snow falls", "snowy day"),
    "sunset": ("sunset", "sunset light"),
}
TEXTURE_WRITTEN = {
    "striped": ("striped", "stripes"),
    "dotted": ("dotted", "dots"),
    "checkered": ("checkered", "checks"),
}

OPENINGS = (
    "please make a video of", "show me", "create a clip with", "i would like to see",
    "can you make", "generate", "imagine", "give me a short film of", "a video where",
)  # fmt: skip
ENDINGS = ("please", "thanks", "if you can", "for my friends", "!")
FILLERS = (
    "nice", "beautiful", "cool", "cute", "pretty", "lovely", "shiny", "funny", "happy", "great",
    "amazing", "simple", "bright", "really", "very", "tiny", "new", "little",
)  # fmt: skip
"""Adjectives that say nothing that the world can show; the enhancer leaves them out."""


def lexicon() -> Lexicon:
    """Every fact of the world with the words for it."""
    facts = [Fact("color", c, (c, *COLOR_WORDS.get(c, ())), (c,)) for c in COLORS]
    facts += [
        Fact("kind", kind, (*nouns, *KIND_WORDS.get(kind, ())), nouns[:1])
        for kind, nouns in world.NOUNS.items()
    ]
    facts += _group("motion", phrases.VAGUE_MOTION, MOTION_WORDS, MOTION_WRITTEN)
    places = {p: PLACE_WRITTEN.get(p, (p,)) for p in phrases.VAGUE_PLACE}
    facts += _group("place", phrases.VAGUE_PLACE, PLACE_WORDS, places)
    styles = {s: STYLE_WRITTEN.get(s, (s,)) for s in phrases.VAGUE_STYLE}
    facts += _group("style", phrases.VAGUE_STYLE, STYLE_WORDS, styles)
    facts += _group("camera", {}, CAMERA_WORDS, CAMERA_WRITTEN)
    views = {f"from_{VIEW_NAMES.get(name, name)}": said for name, said in ANGLES.items()}
    facts += _group("view", {}, {}, views)
    facts += _group("effect", {}, {}, {e: EFFECT_WRITTEN[e] for e in EFFECTS if e != "none"})
    facts += _group("weather", {"snow": ("snow",)}, {}, WEATHER_WRITTEN)
    facts += _group("texture", {}, {}, TEXTURE_WRITTEN)
    facts += [Fact("prop", p, (p,), (p,)) for p in PROPS]
    return Lexicon(facts)


def vocabulary() -> list[str]:
    """Every word that the enhancer knows as a whole, sorted."""
    words = set(world.vocabulary())
    texts = [*OPENINGS, *ENDINGS, *FILLERS, *CAMERA_MOVES, *_STRUCTURE]
    for fact in lexicon().facts:
        texts += [*fact.said, *fact.written, fact.name]
    for text in texts:
        words.update(world.words_of(text.replace("_", " ")))
    return sorted(words)


_STRUCTURE = ("sees said everything else in look of the first last frame edited empty scene as",)


def _group(
    group: str,
    careless: Mapping[str, tuple[str, ...]],
    more: Mapping[str, tuple[str, ...]],
    written: Mapping[str, tuple[str, ...]],
) -> list[Fact]:
    return [
        Fact(group, name, (*careless.get(name, ()), *more.get(name, ())), forms)
        for name, forms in written.items()
    ]
