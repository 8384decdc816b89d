"""What a task is before anything is rendered: scenes, words and which media show what.

A capability is one function that draws a :class:`Plan`. Plans are cheap, so those that fall into
the wrong split are simply drawn again; only the accepted one is rendered (``realise.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from omnireel.types import Role
from omnireel.world.captions import LEVELS
from omnireel.world.captions.told import OpenFact
from omnireel.world.distribution import SceneDistribution, pick
from omnireel.world.holdout import Split
from omnireel.world.sampler import sample_scene
from omnireel.world.scene import Level, Scene


@dataclass(frozen=True)
class Picture:
    """A square image of a scene at ``time_s`` seconds, at the short side of the format."""

    scene: Scene
    time_s: float = 0.0


@dataclass(frozen=True)
class Footage:
    """A whole clip of a scene, in the format of the target."""

    scene: Scene


@dataclass(frozen=True)
class TargetFrame:
    """One frame of the target itself; negative indices count from the end."""

    index: int


@dataclass(frozen=True)
class Storyboard:
    """``side`` times ``side`` small frames of the target in order, in its size altogether."""

    side: int


@dataclass(frozen=True)
class Marked:
    """The first frame of a scene, in the size of the target, with marks drawn on it.

    ``arrows`` are the bodies whose path through the *target* an arrow shows, ``boxes`` those whose
    place in the target's first frame a box shows.
    """

    scene: Scene
    arrows: tuple[str, ...] = ()
    boxes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sketch:
    """A drawing of a scene's first frame in the size of the target: outlines or dark shapes."""

    scene: Scene
    filled: bool = False


Shot = Picture | Footage | TargetFrame | Storyboard | Marked | Sketch


@dataclass(frozen=True)
class Matte:
    """The target shows only these bodies of the scene, on a plain ground.

    ``ground`` is one of COLORS, or "" for a mask: the bodies white and the ground black.
    """

    bodies: tuple[str, ...]
    ground: str = ""


@dataclass(frozen=True)
class Given:
    """A declared input or (role ``element``) element and what it shows."""

    name: str
    role: Role
    shots: tuple[Shot, ...]


@dataclass(frozen=True)
class Plan:
    """A task that can be rendered. ``text`` and ``vague_text`` mention ``given`` by ``@name``."""

    scene: Scene
    text: str
    vague_text: str
    given: tuple[Given, ...] = ()
    source_scene: Scene | None = None
    edited: tuple[str, ...] | None = None
    """Ids of the bodies that an edit touches in source or target; empty: the whole picture is
    touched; None: the task edits nothing."""
    left_open: frozenset[OpenFact] = frozenset()
    """Facts of the scene that neither words nor media tell."""
    cuts: tuple[Scene, ...] = ()
    """Scenes that follow ``scene`` in the target, each for an equal share of the frames."""
    matte: Matte | None = None
    """What is cut out of the scene in the target."""
    solution: str = ""
    """Exact words for the answer when ``text`` is a puzzle."""

    def given_scenes(self) -> Iterator[Scene]:
        """Every scene that the conditions show, later shots of the target included."""
        yield from self.cuts
        for given in self.given:
            for shot in given.shots:
                if not isinstance(shot, TargetFrame | Storyboard):
                    yield shot.scene


@dataclass(frozen=True)
class Draw:
    """What a capability draws its plan with."""

    rng: np.random.Generator
    split: Split
    duration_s: float
    scenes: SceneDistribution = field(default_factory=SceneDistribution)
    """How likely each kind of scene is, unless the capability asks for its own kind."""

    def scene(self, max_bodies: int = 2, distribution: SceneDistribution | None = None) -> Scene:
        """A scene of the draw's split and length."""
        return sample_scene(
            self.rng,
            split=self.split,
            max_bodies=max_bodies,
            duration_s=self.duration_s,
            distribution=distribution or self.scenes,
        )

    def one_of(self, options: tuple[str, ...]) -> str:
        """One of ``options``, uniformly."""
        return pick(self.rng, options)

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return bool(self.rng.random() < probability)

    def level(self) -> Level:
        """How much a caption says: mostly short or full, sometimes terse or elaborate."""
        return LEVELS[int(self.rng.choice(len(LEVELS), p=(0.15, 0.35, 0.35, 0.15)))]


Builder = Callable[[Draw], Plan]
"""One capability: draws a plan whose target belongs to ``draw.split`` where it can."""
