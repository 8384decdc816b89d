"""In which words a case is put to the system: precise, vague, or vague and enhanced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from omnireel.enhancer import Enhancer
from omnireel.mvl.prompt import Prompt
from omnireel.world.tasks import TaskSample


@dataclass(frozen=True, eq=False)
class Wording:
    """A name and how to word a case."""

    name: str
    prompt: Callable[[TaskSample], Prompt]


PRECISE = Wording("precise", lambda sample: sample.prompt)
VAGUE = Wording("vague", lambda sample: sample.vague_prompt)


def enhanced(enhancer: Enhancer) -> Wording:
    """The vague words after the enhancer rewrote them."""
    return Wording(
        "enhanced", lambda sample: enhancer.enhance(sample.vague_prompt, sample.media).prompt
    )
