"""Words for scenes: exact captions, careless ones, and structured prompts."""

from omnireel.world.captions.grammar import LEVELS, caption
from omnireel.world.captions.structured import structured
from omnireel.world.captions.vague import vague, vague_name

__all__ = ["LEVELS", "caption", "structured", "vague", "vague_name"]
