"""What people call what the readers tell apart."""

from __future__ import annotations

from omnireel.world.lexicon import CLOTHED, NOUNS, TEXTURE_NOUNS
from omnireel.world.scene import CAMERA_MOVES, CHARACTERS, COLORS, SHAPES

__all__ = ["CAMERA_MOVES", "CLOTHED", "COLORS", "KINDS", "NOUNS", "TEXTURE_NOUNS"]

KINDS = (*SHAPES, *CHARACTERS)
"""In the order of the reader's classes."""
