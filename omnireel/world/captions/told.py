"""Which facts of a scene a caption leaves open: nobody can be held to what was not said."""

from __future__ import annotations

from typing import Literal

from omnireel.world.captions.grammar import LEVELS, Borrowed
from omnireel.world.scene import Level

NOTHING = Borrowed()
OpenFact = Literal["place", "weather", "camera"]
"""Facts that short captions leave out; all others every caption tells."""


def left_open(level: Level, borrowed: Borrowed = NOTHING) -> frozenset[OpenFact]:
    """What a caption of ``level`` neither says nor takes from given media.

    From the level on that speaks of a fact, silence means something: clear weather, a camera that
    stands still.
    """
    rank = LEVELS.index(level)
    short, full = LEVELS.index("short"), LEVELS.index("full")
    found: set[OpenFact] = set()
    if rank < short:
        found.add("weather")
        if not borrowed.place:
            found.add("place")
    if rank < full and not borrowed.camera:
        found.add("camera")
    return frozenset(found)
