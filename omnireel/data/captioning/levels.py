"""What a caption of each level is, and what is asked for it."""

from __future__ import annotations

from dataclasses import dataclass

from omnireel.world.scene import Level


@dataclass(frozen=True)
class LevelRule:
    """What a model is told, and the words that a caption may have."""

    ask: str
    least: int
    most: int


RULES: dict[Level, LevelRule] = {
    "terse": LevelRule("In at most ten words: who or what does what.", 2, 14),
    "short": LevelRule("In one sentence: who or what does what, and where.", 5, 32),
    "full": LevelRule(
        "In one or two sentences: who or what, what it looks like, what it does, where, and what "
        "the camera does.", 8, 70,
    ),
    "elaborate": LevelRule(
        "In three to five sentences: subject, looks, motion, place, light, style and camera.",
        12, 180,
    ),
}  # fmt: skip
SYSTEM = (
    "You caption a video of which you see frames in order. Say only what is seen, in plain English "
    "sentences. Answer with the caption alone: no list, no quotes, no preface."
)
