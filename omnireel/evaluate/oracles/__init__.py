"""Questions with exact answers, one small file per subject, and which capability is asked which.

A new metric is a new :class:`Oracle` here and its name in ``BY_CAPABILITY``.
"""

from __future__ import annotations

from omnireel.errors import InvalidInput
from omnireel.evaluate.oracles import (
    areas,
    candidates,
    changes,
    identity,
    movement,
    pixels,
    setting,
    subjects,
    transfer,
)
from omnireel.evaluate.oracles.base import Oracle

VERSION = 2
"""Of what is answered. Raise it with every change by which an oracle, the matching of subjects or
the renderings that results are compared with give another answer: runs of different versions are
neither resumed nor compared, and recorded scores are out of date."""

_LOOK = (subjects.COLOR, subjects.KIND, subjects.COUNT)
_SETTING = (setting.PLACE, setting.STYLE)
_EDIT = (pixels.KEPT, pixels.EDIT)

BY_CAPABILITY: dict[str, tuple[Oracle, ...]] = {
    "C1": (identity.IDENTITY, *_LOOK, movement.MOTION, *_SETTING),
    "C2": (identity.IDENTITY, *_LOOK, movement.MOTION, *_SETTING),
    "C3": (identity.IDENTITY, *_LOOK, movement.MOTION, *_SETTING),
    "C4": (*_LOOK, movement.MOTION, *_EDIT),
    "C5": (subjects.COUNT, *_EDIT),
    "C6": (*_LOOK, movement.MOTION, *_EDIT),
    "C7": (candidates.STYLE, movement.MOTION, setting.PLACE, pixels.EDIT),
    "C8": (*_LOOK, setting.PLACE, setting.WEATHER, movement.MOTION, *_EDIT),
    "C9": (candidates.EFFECT, movement.MOTION, *_EDIT),
    "C10": (areas.MATTE, *_EDIT),
    "C11": (identity.IDENTITY, *_LOOK, movement.MOTION, setting.PLACE, *_EDIT),
    "C12": (identity.IDENTITY, *_LOOK, movement.MOTION, *_EDIT),
    "C13": (identity.IDENTITY, *_LOOK, movement.MOTION, *_SETTING, setting.WEATHER, areas.JOINT),
    "C14": (identity.IDENTITY, *_LOOK, movement.MOTION, *_SETTING, setting.WEATHER, areas.JOINT),
    "C15": (candidates.ANGLE, movement.PATH, identity.IDENTITY, *_LOOK, *_SETTING, pixels.TARGET),
    "C16": (transfer.MOTION_PATH, movement.MOTION, *_LOOK, *_SETTING),
    "C17": (movement.CAMERA, transfer.CAMERA_PATH, *_LOOK, *_SETTING),
    "C18": (pixels.TARGET, identity.CAST, movement.MOTION, *_LOOK, pixels.FIRST_FRAME),
    "C19": (
        pixels.TARGET, identity.CAST, movement.MOTION, *_LOOK, pixels.FIRST_FRAME,
        pixels.LAST_FRAME,
    ),
    "C20": (
        movement.RECOGNISABLE, *_LOOK, movement.MOTION, *_SETTING, setting.WEATHER,
        movement.CAMERA,
    ),
    "C21": (changes.CHANGES, *_LOOK, movement.MOTION, *_SETTING, setting.WEATHER, pixels.EDIT),
    "C22": (movement.PATH, areas.BOX, *_LOOK, movement.MOTION, *_SETTING, pixels.TARGET),
    "C23": (
        movement.SOLVED, *_LOOK, movement.MOTION, setting.PLACE, identity.CAST,
        pixels.FIRST_FRAME,
    ),
    "C24": (candidates.ORDER, *_LOOK, movement.MOTION, *_SETTING, pixels.TARGET),
    "C25": (areas.LAYOUT, *_LOOK, movement.MOTION, *_SETTING, pixels.TARGET),
}  # fmt: skip
"""The first oracle of each row is the capability's headline."""


def oracles_of(capability: str) -> tuple[Oracle, ...]:
    """The oracles of a row of the capability table, headline first.

    Raises:
        InvalidInput: the capability has none.
    """
    if capability not in BY_CAPABILITY:
        raise InvalidInput(
            f"no oracles for capability {capability!r}; use one of {', '.join(BY_CAPABILITY)}",
            field="capability",
        )
    return BY_CAPABILITY[capability]


__all__ = ["BY_CAPABILITY", "VERSION", "Oracle", "oracles_of"]
