"""Phrase tables of the caption grammar. Data only; ``captions`` fills the slots in braces.

Motion phrases come as (finite, gerund) templates with ``{v}`` for the verb (already followed by
its adverb, if any), so that a caption can say both "a ball rolls ..." and "a ball rolling ...".
"""

from __future__ import annotations

VERBS: dict[str, tuple[tuple[str, str], ...]] = {
    "ball": (("rolls", "rolling"), ("moves", "moving")),
    "shape": (("slides", "sliding"), ("moves", "moving")),
    "character": (("walks", "walking"), ("moves", "moving")),
}

TRAVEL: dict[str, tuple[str, ...]] = {
    "move_right": ("{v} from left to right", "{v} to the right", "{v} right across the frame"),
    "move_left": ("{v} from right to left", "{v} to the left", "{v} left across the frame"),
    "approach": ("{v} toward the camera", "{v} closer to the camera", "{v} toward us"),
    "recede": ("{v} away from the camera", "{v} away into the distance", "{v} away from us"),
    "circle": ("{v} in a circle", "{v} around in a circle"),
}

IN_PLACE: dict[str, tuple[tuple[str, str], ...]] = {
    "still": (
        ("stands still", "standing still"),
        ("stays still", "staying still"),
        ("rests still without moving", "resting still without moving"),
    ),
    "jump": (
        ("jumps{adv} up and down", "jumping{adv} up and down"),
        ("bounces{adv} up and down", "bouncing{adv} up and down"),
        ("jumps{adv} into the air again and again", "jumping{adv} into the air again and again"),
    ),
    "spin": (
        ("spins{adv} around", "spinning{adv} around"),
        ("spins{adv} in place", "spinning{adv} in place"),
        ("turns{adv} around and around", "turning{adv} around and around"),
    ),
}

TERSE_MOTION: dict[str, tuple[str, ...]] = {
    "still": ("still", "standing still"),
    "move_right": ("{v} right", "{v} to the right"),
    "move_left": ("{v} left", "{v} to the left"),
    "approach": ("{v} toward the camera", "{v} closer"),
    "recede": ("{v} away",),
    "circle": ("{v} in a circle",),
    "jump": ("jumping", "bouncing up and down"),
    "spin": ("spinning", "spinning around"),
}

ADVERBS = {"slow": "slowly", "fast": "quickly"}

PLACE: dict[str, tuple[str, ...]] = {
    "meadow": ("in a green meadow", "on green grass in a meadow", "in a meadow"),
    "desert": ("in a sandy desert", "on the sand of a desert", "in the desert"),
    "beach": ("on a sunny beach", "on a beach by the sea", "on the beach"),
    "snowfield": ("in a snowy field", "on a field of white snow", "on a snowfield"),
    "city": ("in a city street", "in the city among buildings", "in the city"),
    "studio": ("in a plain studio", "in a clean studio", "in a studio"),
    "room": ("in a cozy room", "on the floor of a room", "in a room"),
    "night": ("at night under the stars", "on a dark night", "at night"),
}

PLACE_DETAIL: dict[str, tuple[str, ...]] = {
    "meadow": ("soft grass reaches to the distant hills", "the grass is fresh and green"),
    "desert": ("warm sand lies under an open sky", "low dunes rise in the distance"),
    "beach": ("the blue sea lies behind the sand", "calm water meets the bright sand"),
    "snowfield": ("clean snow covers the ground", "the white ground is bright and cold"),
    "city": ("tall buildings stand in the background", "gray houses line the street"),
    "studio": ("the background is smooth and empty", "soft light fills the empty studio"),
    "room": ("a warm wall stands behind the floor", "soft light fills the room"),
    "night": ("stars shine in the dark sky", "the dark sky is full of stars"),
}

WEATHER: dict[str, tuple[str, ...]] = {
    "fog": ("in the fog", "in thick fog", "on a foggy day"),
    "rain": ("in the rain", "in falling rain", "on a rainy day"),
    "snow": ("in falling snow", "while snow falls", "on a snowy day"),
    "sunset": ("at sunset", "in warm sunset light", "in the evening at sunset"),
}

STYLE: dict[str, tuple[str, ...]] = {
    "pencil": ("as a pencil drawing", "in the style of a pencil drawing"),
    "watercolor": ("as a watercolor painting", "in watercolor style"),
    "pixel": ("as pixel art", "in pixel art style"),
    "neon": ("in neon style", "with glowing neon outlines"),
    "sepia": ("as an old sepia film", "in sepia tones"),
    "toon": ("as a cartoon", "in cartoon style"),
}

STYLE_LEAD: dict[str, tuple[str, ...]] = {
    "natural": ("a video of", "a clip of", "a shot of"),
    "pencil": ("a pencil drawing of",),
    "watercolor": ("a watercolor painting of",),
    "pixel": ("pixel art of",),
    "neon": ("a neon style video of",),
    "sepia": ("an old sepia film of",),
    "toon": ("a cartoon of",),
}

CAMERA: dict[str, tuple[str, ...]] = {
    "static": ("the camera is static", "the camera does not move"),
    "pan_left": ("the camera pans to the left", "the view pans left"),
    "pan_right": ("the camera pans to the right", "the view pans right"),
    "zoom_in": ("the camera zooms in", "the view slowly zooms in"),
    "zoom_out": ("the camera zooms out", "the view slowly zooms out"),
    "orbit": ("the camera orbits around the scene", "the camera orbits around"),
    "rise": ("the camera rises", "the camera rises up high"),
    "shake": ("the camera shakes", "the picture shakes as if held by hand"),
}

EFFECT: dict[str, tuple[str, ...]] = {
    "sparkles": ("surrounded by sparkles", "with bright sparkles around it"),
    "fire": ("on fire", "burning with fire"),
    "bubbles": ("surrounded by bubbles", "with bubbles around it"),
    "glow": ("with a soft glow", "glowing with a soft glow"),
}

SIZE = {"small": ("small", "little"), "large": ("large", "big")}

WEARS: dict[str, tuple[str, ...]] = {
    "hat": ("wearing {colored} hat", "with {colored} hat"),
    "scarf": ("wearing {colored} scarf", "with {colored} scarf"),
    "balloon": ("holding {colored} balloon", "with {colored} balloon"),
    "backpack": ("wearing {colored} backpack", "with {colored} backpack"),
    "crown": ("wearing {colored} crown", "with {colored} crown"),
}

CLOTHES = ("in {color}", "in {color} clothes", "dressed in {color}")
CLOTHES_TEXTURE = ("in {texture} {color} clothes",)
TEXTURE_DETAIL = ("with {accent} {texture_noun}",)

RELATION: dict[str, tuple[str, str]] = {
    "left": ("on the left", "on the right"),
    "right": ("on the right", "on the left"),
    "front": ("in the front", "in the back"),
}
"""Where the first and the second body stand, by the first one's place."""

JOIN_TWO = ("{first} while {second}", "{first}, and {second}", "{first}; {second}")

HAIR = ("the {noun} has {skin} hair", "the hair of the {noun} is {skin}")
SKIN = ("the {noun} has {skin} parts", "the second color of the {noun} is {skin}")

SENTENCES = (
    "{np} {finite} {place}",
    "{place}, {np} {finite}",
    "{np} is {gerund} {place}",
    "{lead} {np} {gerund} {place}",
    "there is {np} {gerund} {place}",
)
BORROWED_MOTION = (
    ("moves as in {name}", "follows the motion of {name}", "moves like the subject of {name}"),
    ("moving as in {name}", "following the motion of {name}", "moving like the subject of {name}"),
)
BORROWED_CAMERA = (
    "the camera moves as in {name}",
    "with the camera motion of {name}",
    "the camera follows the path of {name}",
)
BORROWED_PLACE = (
    "in the place of {name}",
    "in the scene shown in {name}",
    "with the background of {name}",
)
SENTENCES_NO_PLACE = (
    "{np} {finite}",
    "{np} is {gerund}",
    "{lead} {np} {gerund}",
    "there is {np} {gerund}",
)
SENTENCES_TWO = ("{both} {place}", "{place}, {both}")
LIGHT = ("the light is soft", "soft shadows lie on the ground", "the picture is calm and clear")

VAGUE_THING: dict[str, tuple[str, ...]] = {
    "shape": ("something", "a thing", "an object", "some object"),
    "character": ("someone", "a character", "some little figure", "a toy"),
}
VAGUE_MOTION: dict[str, tuple[str, ...]] = {
    "still": ("just there", "doing nothing", "not moving"),
    "move_right": ("going sideways", "moving right", "crossing over to the right", "going right"),
    "move_left": ("going sideways", "moving left", "crossing over to the left", "going left"),
    "approach": ("coming at me", "getting closer", "coming here"),
    "recede": ("going away", "leaving", "getting smaller"),
    "jump": ("hopping", "jumping", "up and down"),
    "spin": ("spinning", "turning", "rotating"),
    "circle": ("going round", "in circles", "going around"),
}
VAGUE_PLACE: dict[str, tuple[str, ...]] = {
    "meadow": ("grass", "outside", "meadow", "nature"),
    "desert": ("desert", "sand", "somewhere hot"),
    "beach": ("beach", "sea", "the coast"),
    "snowfield": ("snow", "winter", "somewhere cold"),
    "city": ("city", "town", "street"),
    "studio": ("studio", "empty background", "nothing behind"),
    "room": ("indoors", "room", "at home"),
    "night": ("night", "dark", "stars"),
}
VAGUE_STYLE: dict[str, tuple[str, ...]] = {
    "pencil": ("sketchy", "pencil", "drawn"),
    "watercolor": ("watercolor", "painted"),
    "pixel": ("pixel", "retro game look"),
    "neon": ("neon", "cyber look"),
    "sepia": ("old movie", "sepia", "vintage"),
    "toon": ("cartoon", "anime", "toon"),
}
VAGUE_SENTENCES = (
    "{color} {noun}",
    "{color} {noun} {motion}",
    "{noun} {color} {motion}",
    "{thing} {color} {motion}",
    "{motion} {noun}, {color}",
    "i want a {color} {noun}",
    "make a {color} {noun} {motion} please",
    "{color} {noun} {place}",
    "{place}, {color} {noun} {motion}",
    "{noun} {motion} {place}",
    "can you do a {noun} thing, {color}",
    "video with {color} {noun} and {place}",
)
VAGUE_NAMED = (
    "{name}",
    "{name} {motion}",
    "{name} {place}",
    "{motion} {name} {place}",
    "{name} {motion}, {place}",
    "video of {name}",
    "put {name} in {place}",
    "make {name} move",
)
VAGUE_NAMES = ("the {noun}", "the {color} one", "{color} {noun}", "that {noun}")
VAGUE_NEW_NAMES = ("a {noun}", "{color} {noun}", "a {color} {noun}", "some {noun}")
VAGUE_SECOND = ("{first} and {noun}", "{first} with a {color} {noun}", "{first} plus {thing}")
VAGUE_TAIL = ("{text}, {style}", "{style} {text}")
STRUCTURED_WORDS = ("the no one moves stays subjects summary camera motion place style static",)
