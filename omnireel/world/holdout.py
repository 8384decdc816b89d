"""Which combinations are kept away from training, so that generalisation can be measured.

Rule: a body is *held out* when ``crc32("kind|color|motion|style") % 10 == 0``, where kind, colour
and motion are the body's and style is the scene's. A scene belongs to the split ``"held_out"``
when any of its bodies is held out, else to ``"train"``. About one combination in ten is held out,
and every single kind, colour, motion and style still occurs in training: only the combination is
new. The rule needs no table and no seed, so every process agrees on it for ever.
"""

from __future__ import annotations

import zlib
from typing import Literal

from omnireel.world.scene import Scene

Split = Literal["train", "held_out"]

HELD_OUT_ONE_IN = 10


def is_held_out(kind: str, color: str, motion: str, style: str) -> bool:
    """Whether this combination never occurs in training."""
    key = f"{kind}|{color}|{motion}|{style}".encode()
    return zlib.crc32(key) % HELD_OUT_ONE_IN == 0


def split_of(scene: Scene) -> Split:
    """The split that a scene belongs to."""
    held_out = any(
        is_held_out(body.kind, body.material.color, body.motion.kind, scene.style)
        for body in scene.bodies
    )
    return "held_out" if held_out else "train"
