"""What a case is about: kind of subject, scenario, challenge.

The rows follow the usual split of benchmarks of real footage; the world has no emotions, so the
mood of weather and light stands in their place.
"""

from __future__ import annotations

from dataclasses import dataclass

from omnireel.types import Role
from omnireel.world.scene import Scene
from omnireel.world.staging import SMALL, VIEW_HEIGHT_M
from omnireel.world.tasks.plan import Plan

SUBJECTS = ("human", "character", "animal", "clothing", "object")
SCENARIOS = ("film", "commerce", "social")
CHALLENGES = ("cross_style", "mood", "many", "wide", "action", "plain")

_SUBJECT_OF = {
    "girl": "human", "boy": "human", "robot": "character", "bear": "character",
    "cat": "animal", "bunny": "animal",
}  # fmt: skip
_CLOTHES = frozenset({"hat", "scarf", "backpack", "crown"})
_SCENARIO_OF = {
    "meadow": "film", "desert": "film", "snowfield": "film", "night": "film",
    "studio": "commerce", "beach": "social", "city": "social", "room": "social",
}  # fmt: skip
_ACTION = frozenset({"jump", "spin", "circle"})


@dataclass(frozen=True)
class Tags:
    """One of SUBJECTS, SCENARIOS and CHALLENGES each."""

    subject: str
    scenario: str
    challenge: str


def tags_of(plan: Plan) -> Tags:
    """The tags of a plan, by the scene of its target (of its source where that shows nobody)."""
    scene = plan.scene
    shown = scene if scene.bodies else plan.source_scene or scene
    return Tags(_subject(shown), _SCENARIO_OF[scene.place], _challenge(plan))


def _subject(scene: Scene) -> str:
    if not scene.bodies:
        return "object"
    main = scene.bodies[0]
    if any(prop in _CLOTHES for prop, _ in main.wears):
        return "clothing"
    return _SUBJECT_OF.get(main.kind, "object")


def _challenge(plan: Plan) -> str:
    """The rarest that holds comes first."""
    scene = plan.scene
    if scene.style != "natural":
        return "cross_style"
    if scene.weather != "clear":
        return "mood"
    subjects = sum(g.role in (Role.ELEMENT, Role.REFERENCE) for g in plan.given)
    if len(scene.bodies) > 1 or subjects > 1:
        return "many"
    small = any(body.size <= SMALL[1] * VIEW_HEIGHT_M for body in scene.bodies)
    if small or scene.camera.move in ("zoom_out", "rise"):
        return "wide"
    moving = any(body.motion.kind in _ACTION for body in scene.bodies)
    return "action" if moving or scene.effect != "none" else "plain"
