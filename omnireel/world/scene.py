"""The scene graph: everything the procedural world knows about a clip, as plain data.

Coordinates are right-handed and metric: x right, y up, z towards the default camera; the ground is
y = 0 and the default subject stands near the origin. Time is in seconds from the clip's start.
Every name below is part of the world's vocabulary: captions, oracles and the benchmark use it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Vec3 = tuple[float, float, float]

COLORS = ("red", "orange", "yellow", "green", "teal", "blue", "purple", "pink", "white", "black")
SHAPES = ("ball", "cube", "cone", "cylinder", "ring", "star")
CHARACTERS = ("robot", "cat", "bunny", "girl", "boy", "bear")
PROPS = ("hat", "scarf", "balloon", "backpack", "crown")
TEXTURES = ("plain", "striped", "dotted", "checkered")
MOTIONS = (
    "still",
    "move_right",
    "move_left",
    "approach",
    "recede",
    "jump",
    "spin",
    "circle",
)
CAMERA_MOVES = ("static", "pan_left", "pan_right", "zoom_in", "zoom_out", "orbit", "rise", "shake")
PLACES = ("meadow", "desert", "beach", "snowfield", "city", "studio", "room", "night")
WEATHERS = ("clear", "fog", "rain", "snow", "sunset")
STYLES = ("natural", "pencil", "watercolor", "pixel", "neon", "sepia", "toon")
EFFECTS = ("none", "sparkles", "fire", "bubbles", "glow")

Color = str
Shape = str


@dataclass(frozen=True)
class Material:
    """Surface of a part: ``color`` and ``accent`` from COLORS, ``texture`` from TEXTURES."""

    color: Color
    texture: str = "plain"
    accent: Color = "white"
    shine: float = 0.25
    """Specular strength, 0 matte to 1 mirror-like highlight."""


@dataclass(frozen=True)
class Motion:
    """How a body moves: ``kind`` from MOTIONS.

    ``speed`` scales the kind's natural pace (1 = the whole motion is seen once in two seconds);
    ``phase`` in 0..1 shifts periodic motions.
    """

    kind: str = "still"
    speed: float = 1.0
    phase: float = 0.0
    bearing: float = 0.0
    """Radians by which a straight path is turned on the ground: what moves right moves right and
    away for a positive one."""


@dataclass(frozen=True)
class Body:
    """One subject: a primitive (``kind`` in SHAPES) or a character put together from parts.

    ``size`` is the height in metres; ``position`` the point on the ground below it at the middle
    of the clip; ``heading`` radians about y (0 faces the camera). For a character ``material`` is
    its clothing or fur, ``skin`` its second colour, and ``wears`` props with their colours; a
    character's identity is exactly (kind, material, skin, wears).
    """

    id: str
    kind: str
    material: Material
    size: float = 1.0
    position: Vec3 = (0.0, 0.0, 0.0)
    heading: float = 0.0
    motion: Motion = Motion()
    skin: Color = "white"
    wears: tuple[tuple[str, Color], ...] = ()


@dataclass(frozen=True)
class Camera:
    """A perspective camera path: ``move`` from CAMERA_MOVES applied to a start pose.

    ``azimuth`` and ``elevation`` are radians on a sphere of radius ``distance`` metres about
    ``target``; ``fov`` is the vertical field of view in radians of a square image (the shorter
    side keeps it in other aspects).
    """

    move: str = "static"
    amount: float = 1.0
    azimuth: float = 0.0
    elevation: float = 0.18
    distance: float = 4.2
    target: Vec3 = (0.0, 0.62, 0.0)
    fov: float = 0.75


@dataclass(frozen=True)
class Clock:
    """Which of a scene's times a clip shows: ``start_s + pace * t`` seconds at its time ``t``.

    Pace 0 freezes the scene; a start at the end of another clip continues it.
    """

    start_s: float = 0.0
    pace: float = 1.0


@dataclass(frozen=True)
class Scene:
    """Everything in a clip. Two scenes that are equal render to equal bytes."""

    bodies: tuple[Body, ...]
    place: str = "meadow"
    weather: str = "clear"
    style: str = "natural"
    effect: str = "none"
    effect_on: str = ""
    """Id of the body that the effect follows; empty when ``effect`` is "none"."""
    camera: Camera = field(default_factory=Camera)
    seed: int = 0
    """Seeds only what the graph does not name: cloud shapes, building layout, snow flakes."""
    duration_s: float = 2.125
    """Length that motions and camera moves are laid out over, in seconds."""
    clock: Clock = Clock()


Level = Literal["terse", "short", "full", "elaborate"]
"""Caption detail, from terse to elaborate."""
